"""Makes a file, and removes it."""

from pathlib import Path

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.outcomes import Done, Failed


class Parameters(forms.Form):
    file = forms.CharField()


class Undoable(Action):
    title = "Make a file"
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params, call):
        Path(params["file"]).write_text(call.key)
        return Done({"made": params["file"]})

    def undo(self, params, call):
        made = Path(call.output["made"])
        if not made.exists():
            return Failed("gone", f"{made} is not there any more.")
        made.unlink()
        return Done({"removed": str(made)})


actions.register("acting.undoable", Undoable(), module=__name__)
