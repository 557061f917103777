"""Fails for a reason that passes, so many times."""

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.errors import TemporaryError
from config.kernel.flow.outcomes import Done


class Parameters(forms.Form):
    times = forms.IntegerField(min_value=0)


class Flaky(Action):
    title = "Flaky"
    runs = "inline"
    effect = "once"
    Parameters = Parameters

    def run(self, params, call):
        if call.attempt <= params["times"]:
            raise TemporaryError(f"Not this time, it is attempt {call.attempt}.")
        return Done({"attempt": call.attempt, "key": call.key})


actions.register("acting.flaky", Flaky(), module=__name__)
