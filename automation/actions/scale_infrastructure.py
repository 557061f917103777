"""More or fewer instances of a service, by a factor and up to a number."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services.effects import infrastructure
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome


class ScaleInfrastructure(Action):
    """By the action `healing.scale_service`, which knows the service, its controller and its own bounds."""

    title = "Scale infrastructure"
    about = "Scales a service by a factor, rounded up, to at most `max_instances` and within the bounds of the service."
    runs = "inline"
    effect = "idempotent"

    class Parameters(forms.Form):
        """Which, how much more, and where it ends."""

        service_name = forms.CharField(max_length=64)
        scale_factor = forms.FloatField(min_value=0.01, max_value=100, help_text="1.5 makes 6 of 4; rounded up.")
        max_instances = forms.IntegerField(required=False, min_value=1, max_value=10_000, help_text="Not more than this.")

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Done when the service has that many, or has as many as it may have already."""
        return infrastructure.scale(call, service=params["service_name"], factor=params["scale_factor"], most=params["max_instances"])

    def undo(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """As many as before, unless somebody has changed it since."""
        return infrastructure.restore(call)

    def summary(self, params: Mapping[str, Any]) -> str:
        """Which and how much."""
        most = f", at most {params['max_instances']}" if params["max_instances"] else ""
        return f"Scale the service {params['service_name']} by {params['scale_factor']:g}{most}"


actions.register("automation.scale_infrastructure", ScaleInfrastructure(), module=__name__)
