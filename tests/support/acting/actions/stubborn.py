"""Ignores requests to end, and has a grandchild in a session of its own that does so too."""

import os
import signal
import subprocess
import sys
import time

from django import forms

from config.acts.plugins.actions import Action, actions

IGNORES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


class Parameters(forms.Form):
    file = forms.CharField()


class Stubborn(Action):
    title = "Stubborn"
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params, call):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        near = subprocess.Popen([sys.executable, "-c", IGNORES])
        far = subprocess.Popen([sys.executable, "-c", IGNORES], start_new_session=True)
        with open(params["file"], "w") as log:
            log.write(f"{os.getpid()} {near.pid} {far.pid}\n")
        time.sleep(600)


actions.register("acting.stubborn", Stubborn(), module=__name__)
