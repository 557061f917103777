"""Goes on later, so many times, and counts."""

from datetime import timedelta

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Waiting


class Parameters(forms.Form):
    seconds = forms.FloatField()
    target = forms.CharField(required=False)
    times = forms.IntegerField(initial=1, required=False)


class Wait(Action):
    title = "Wait"
    runs = "inline"
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params, call):
        seen = call.state.get("seen", 0)
        if seen < params["times"]:
            return Waiting(clock.now() + timedelta(seconds=params["seconds"]), {"seen": seen + 1})
        return Done({"seen": seen, "attempt": call.attempt})

    def target(self, params):
        return params["target"]


actions.register("acting.wait", Wait(), module=__name__)
