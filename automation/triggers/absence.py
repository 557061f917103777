"""`automation.absence`: an event that should come does not (a dead man's switch)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms

from config.acts.plugins.triggers import Seen, Trigger, Waking, triggers
from config.acts.running.forms import Words
from config.kernel.flow import clock
from config.look import words


class AbsenceForm(forms.Form):
    """Which events, and how long to wait for one."""

    events = Words(help_text="Exact names, `prefix.*` or `*`, one a line: any of them will do.")
    within_seconds = forms.IntegerField(min_value=1, max_value=31_536_000, help_text="It fires when none came for so long.")


class NothingCame(Trigger):
    """The trigger. It fires once, and again only after an event has come."""

    title = "When something does not happen"
    about = (
        "Waits for an event of these types, from the moment the rule is switched on and after each one that comes. "
        "With a subject path, for each subject from its first event on."
    )
    source = "absence"
    wakes = "clock"
    Parameters = AbsenceForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"no {' or '.join(params['events'])} comes within {words.lasting(params['within_seconds'])}"

    def listens(self, params: Mapping[str, Any]) -> Sequence[str]:
        return list(params["events"])

    def begin(self, params: Mapping[str, Any], now: datetime) -> Waking:
        return Waking(state={"last": clock.text(now)}, due_at=_end(params, now))

    def hear(self, params: Mapping[str, Any], state: Mapping[str, Any], event: Seen) -> Waking:
        if clock.text(event.at) < str(state.get("last", "")):
            return Waking(reason="An older event.", state=state, due_at=None)
        return Waking(reason="It came in time.", state={"last": clock.text(event.at)}, due_at=_end(params, event.at))

    def due(self, params: Mapping[str, Any], state: Mapping[str, Any], now: datetime) -> Waking:
        facts = {"absent_since": state.get("last", ""), "absent_seconds": params["within_seconds"]}
        return Waking(slots=[now], state=state, facts=facts)


def _end(params: Mapping[str, Any], moment: datetime) -> datetime:
    return moment + timedelta(seconds=params["within_seconds"])


triggers.register("automation.absence", NothingCame(), module=__name__)
