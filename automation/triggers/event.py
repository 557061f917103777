"""`automation.event`: each event of certain types."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from config.acts.plugins.triggers import Seen, Trigger, Waking, triggers
from config.acts.running.forms import Words

# What an event rule listens to that names nothing: errors, as in the requirements' example.
DEFAULT = ["error.occurred"]


class EventForm(forms.Form):
    """Which events."""

    events = Words(required=False, help_text="Exact names, `prefix.*` or `*`, one a line. Empty: error.occurred.")


class OnEvent(Trigger):
    """The trigger."""

    title = "When something happens"
    about = "Each event of these types; what it must look like is said by the condition."
    source = "event"
    wakes = "event"
    Parameters = EventForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"{' or '.join(self.listens(params))} comes"

    def listens(self, params: Mapping[str, Any]) -> Sequence[str]:
        return params.get("events") or DEFAULT

    def hear(self, params: Mapping[str, Any], state: Mapping[str, Any], event: Seen) -> Waking:
        return Waking(slots=[event.at])


triggers.register("automation.event", OnEvent(), module=__name__)
