"""Kills the process it runs in."""

import os
import signal

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Parameters(forms.Form):
    attempts = forms.IntegerField(initial=99, required=False, help_text="How many attempts die.")


class Crash(Action):
    title = "Crash"
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params, call):
        if call.attempt <= params["attempts"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return Done({"attempt": call.attempt})


actions.register("acting.crash", Crash(), module=__name__)
