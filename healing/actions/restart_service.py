"""Restarts one service and sees to it that it is back. Called by rules, playbooks, fixes and people, by its key.

`standard`, although a restart is not nothing: what guards a service is `may_be_restarted`, which is off until a person with
system:admin turns it on for that one service. Were the action critical, the shipped recovery rules would ask in the middle of the night.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome
from healing.services import services, steering


class RestartParameters(forms.Form):
    """Which, and how long to wait for it."""

    service = forms.CharField(max_length=64, help_text="Its name or id.")
    wait_seconds = forms.FloatField(
        required=False,
        initial=60,
        min_value=1,
        max_value=3600,
        help_text="How long it may take to be well again (s); 60 when left out.",
    )


class RestartService(Action):
    """Stop it, start it, wait for its health."""

    title = "Restart a service"
    about = "Stops and starts a service through its controller, and waits until it runs and its health check is green."
    permission = "standard"
    runs = "child"
    effect = "idempotent"
    Parameters = RestartParameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        return steering.restart(services.find(params["service"]), call, wait_seconds=params.get("wait_seconds") or 60)

    def target(self, params: Mapping[str, Any]) -> str:
        return f"service:{services.find(params['service']).name}"

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"Restart the service {params['service']}"


actions.register("healing.restart_service", RestartService(), module=__name__)
