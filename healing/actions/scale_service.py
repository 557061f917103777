"""Changes how many instances of a service run, within its bounds. Called by rules, playbooks, forecasts and people, by its key.

`standard` for the reason that stands in restart_service: `may_be_scaled` and the bounds of the service are the guard.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome
from healing.services import services, steering


class ScaleParameters(forms.Form):
    """Which, and to how many: a number, or a factor."""

    service = forms.CharField(max_length=64, help_text="Its name or id.")
    instances = forms.IntegerField(required=False, min_value=0, max_value=services.MOST_INSTANCES, help_text="How many there shall be.")
    scale_factor = forms.FloatField(
        required=False, min_value=0.01, max_value=100, help_text="Instead: how many times as many as now, rounded up. 1.5 makes 6 of 4."
    )
    max_instances = forms.IntegerField(
        required=False, min_value=1, max_value=services.MOST_INSTANCES, help_text="Not more than this, whatever the service itself allows."
    )
    wait_seconds = forms.FloatField(
        required=False, initial=60, min_value=1, max_value=3600, help_text="How long it may take (seconds); 60 when left out."
    )

    def clean(self) -> dict[str, Any]:
        """Exactly one of number and factor."""
        given = super().clean() or {}
        if not self.errors and (given.get("instances") is None) == (given.get("scale_factor") is None):
            raise forms.ValidationError("Give either `instances` or `scale_factor`.")
        return given


class ScaleService(Action):
    """More or fewer of it."""

    title = "Scale a service"
    about = "Changes how many instances of a service run. The bounds of the service hold; at a bound nothing happens, and it says so."
    permission = "standard"
    runs = "child"
    effect = "idempotent"
    Parameters = ScaleParameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        return steering.scale(
            services.find(params["service"]),
            call,
            instances=params.get("instances"),
            factor=params.get("scale_factor"),
            most=params.get("max_instances"),
            wait_seconds=params.get("wait_seconds") or 60,
        )

    def undo(self, params: Mapping[str, Any], call: Call) -> Outcome:
        return steering.unscale(services.find(params["service"]), call, wait_seconds=params.get("wait_seconds") or 60)

    def target(self, params: Mapping[str, Any]) -> str:
        return f"service:{services.find(params['service']).name}"

    def summary(self, params: Mapping[str, Any]) -> str:
        number = params.get("instances")
        how = f"to {number}" if number is not None else f"{params.get('scale_factor'):g} times"
        return f"Scale the service {params['service']} {how}"


actions.register("healing.scale_service", ScaleService(), module=__name__)
