"""More or fewer processes of our own workers, or instances of a service."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services.effects import infrastructure, pools
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import Words
from config.kernel.flow.outcomes import Outcome


class ScaleResources(Action):
    """Without a service it is our own pool that grows or shrinks, until the workers are started again."""

    title = "Scale resources"
    about = "Grows or shrinks the pool of our own workers by a factor, up to WORKER_MAX_CONCURRENCY; or a service that is named."
    effect = "once"
    timeout_seconds = 60

    class Parameters(forms.Form):
        """How much more."""

        scale_factor = forms.FloatField(min_value=0.01, max_value=100, initial=1.5, help_text="1.5 makes 6 of 4; rounded up.")
        target_metrics = Words(required=False, max_items=20, help_text="Measured values that asked for it; kept with the result.")
        service_name = forms.CharField(required=False, max_length=64, help_text="A service; left out: our own workers.")

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Done when the pool, or the service, has that many."""
        if params["service_name"]:
            return infrastructure.scale(call, service=params["service_name"], factor=params["scale_factor"])
        return pools.scale(call, factor=params["scale_factor"], metrics=params["target_metrics"] or [])

    def undo(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """As many as before, unless somebody has changed it since."""
        return infrastructure.restore(call) if params["service_name"] else pools.restore(call)

    def target(self, params: Mapping[str, Any]) -> str:
        """The pool; a service is held by the call that scales it."""
        return "" if params["service_name"] else f"workers:{pools.QUEUE}"

    def summary(self, params: Mapping[str, Any]) -> str:
        """What and how much."""
        return f"Scale {params['service_name'] or 'our own workers'} by {params['scale_factor']:g}"


actions.register("automation.scale_resources", ScaleResources(), module=__name__)
