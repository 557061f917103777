"""Gives back what it was told, prints it, and says who it is."""

import os
import sys

from django import forms

from config.acts.plugins.actions import Action, actions
from config.acts.running.forms import JSON, Length, Words
from config.kernel.flow.outcomes import Done


class Parameters(forms.Form):
    text = forms.CharField(required=False, initial="hello", help_text="What to say.")
    times = forms.IntegerField(required=False, initial=1, min_value=1, max_value=1_000_000)
    secret = forms.CharField(required=False, widget=forms.PasswordInput)
    words = Words(required=False)
    value = JSON(required=False)
    pause = Length(required=False)
    is_loud = forms.BooleanField(required=False)


class Echo(Action):
    title = "Echo"
    about = "Gives back what it was told."
    effect = "none"
    Parameters = Parameters

    def run(self, params, call):
        print(params["text"])
        print("to the other", file=sys.stderr)
        os.write(1, b"\x00\x00\x00\xffraw bytes\n")
        return Done({**params, "text": params["text"] * params["times"], "pid": os.getpid(), "key": call.key, "owner": call.owner})

    def summary(self, params):
        return f"Say {params['text']} {params['secret']}"


actions.register("acting.echo", Echo(), module=__name__)
