"""Does not work, in the way that is asked for."""

from django import forms

from config.acts.plugins.actions import Action, actions
from config.kernel.flow.errors import PermanentError, TemporaryError
from config.kernel.flow.outcomes import Failed, NotConfigured, Refused

WAYS = ("failed", "refused", "not_configured", "raised", "permanent", "temporary", "no_outcome")


class Parameters(forms.Form):
    how = forms.ChoiceField(choices=[(way, way) for way in WAYS], initial="failed", required=False)


class Fail(Action):
    title = "Fail"
    runs = "inline"
    effect = "once"
    Parameters = Parameters

    def run(self, params, call):
        match params["how"]:
            case "failed":
                return Failed("disk_full", "There is no room on the disk.")
            case "refused":
                return Refused("It is not the time for that.")
            case "not_configured":
                return NotConfigured("SOME_URL is not set.")
            case "permanent":
                raise PermanentError("There is no such thing.", code="no_such_thing")
            case "temporary":
                raise TemporaryError("Come back later.", retry_after_seconds=30)
            case "no_outcome":
                return {"ok": True}
        raise ValueError("password=hunter2 was wrong")


actions.register("acting.fail", Fail(), module=__name__)
