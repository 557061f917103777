"""Restarts the services that recovery may restart."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services.effects import recovery
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import Words
from config.kernel.flow.outcomes import Outcome


class RestartServices(Action):
    """Each by the action `healing.restart_service`, which refuses services that may not be restarted and waits for their health."""

    title = "Restart services"
    about = "Restarts one service after the other and waits until each is well: those named, or those of the option RECOVERY_SERVICES."
    runs = "inline"
    effect = "idempotent"

    class Parameters(forms.Form):
        """Which."""

        services = Words(required=False, max_items=50, max_length=64, help_text="Names; left out: those of RECOVERY_SERVICES.")

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """One after the other; done when all of them are."""
        return recovery.restart(params["services"] or [], call)

    def summary(self, params: Mapping[str, Any]) -> str:
        """Which ones."""
        return f"Restart {', '.join(params['services'] or []) or 'the services of RECOVERY_SERVICES'}"


actions.register("automation.restart_services", RestartServices(), module=__name__)
