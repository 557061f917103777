"""Never ends."""

import os

from django import forms

from config.acts.plugins.actions import Action, actions


class Parameters(forms.Form):
    file = forms.CharField()


class Busy(Action):
    title = "Busy"
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params, call):
        with open(params["file"], "a") as log:
            log.write(f"{os.getpid()}\n")
        while True:
            pass


actions.register("acting.busy", Busy(), module=__name__)
