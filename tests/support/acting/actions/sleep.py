"""Sleeps, and writes down when it began and ended."""

import os
import time

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done


class Parameters(forms.Form):
    seconds = forms.FloatField(min_value=0)
    file = forms.CharField(required=False, help_text="Gets a line at the beginning and one at the end.")
    target = forms.CharField(required=False)


class Sleep(Action):
    title = "Sleep"
    effect = "once"
    Parameters = Parameters

    def run(self, params, call):
        note(params["file"], f"+ {call.id}")
        time.sleep(params["seconds"])
        note(params["file"], f"- {call.id}")
        return Done()

    def target(self, params):
        return params["target"]


def note(file, line):
    if file:
        with open(file, "a") as log:
            log.write(f"{line} {os.getpid()} {time.time():.6f}\n")


actions.register("acting.sleep", Sleep(), module=__name__)
