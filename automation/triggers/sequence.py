"""`automation.sequence`: certain events one after another, within a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime

from config.acts.plugins.triggers import Seen, Trigger, Waking, triggers
from config.acts.running.forms import Words
from config.kernel.flow import clock, events


class SequenceForm(forms.Form):
    """Which events in which order, and how long they may take."""

    events = Words(help_text="Names in their order, one a line; the same may stand several times: auth.failed, auth.failed, auth.failed.")
    within_seconds = forms.IntegerField(min_value=1, max_value=2_592_000, help_text="From the first to the last of them.")

    def clean_events(self) -> list[str]:
        found: list[str] = self.cleaned_data["events"]
        if not 2 <= len(found) <= 20:
            raise forms.ValidationError("A sequence has two to twenty events.")
        return found


class InOrder(Trigger):
    """The trigger. Its state is when each event of a sequence that has begun was seen; the newest beginning counts."""

    title = "When things happen in an order"
    about = "All of these events, in this order, within a time; others may come in between. With a subject path, each subject by itself."
    source = "sequence"
    wakes = "event"
    Parameters = SequenceForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"{' then '.join(params['events'])} within {params['within_seconds']} s"

    def listens(self, params: Mapping[str, Any]) -> Sequence[str]:
        return sorted(set(params["events"]))

    def hear(self, params: Mapping[str, Any], state: Mapping[str, Any], event: Seen) -> Waking:
        names, seen = params["events"], list(state.get("seen", []))
        if any(uid == event.uid for uid, _ in seen):
            return Waking(reason="This event counted already.", state=state)
        earliest = event.at - timedelta(seconds=params["within_seconds"])
        seen = _still_in_time(names, seen, earliest)
        if not events.matches([names[len(seen)]], event.type, origin=event.origin):
            return Waking(reason=f"{len(seen)} of {len(names)} events came; next is {names[len(seen)]}.", state={"seen": seen})
        seen.append([event.uid, clock.text(event.at)])
        if len(seen) < len(names):
            return Waking(reason=f"{len(seen)} of {len(names)} events came.", state={"seen": seen})
        return Waking(slots=[event.at], state={"seen": []}, facts={"sequence": [uid for uid, _ in seen]})


def _still_in_time(names: Sequence[str], seen: list[Any], earliest: datetime) -> list[Any]:
    """What is left when the first is too old: a sequence of equal events slides on, any other begins anew."""
    if not seen or _moment(seen[0]) >= earliest:
        return seen
    return [one for one in seen if _moment(one) >= earliest] if len(set(names)) == 1 else []


def _moment(one: Any) -> datetime:
    found = parse_datetime(one[1])
    assert found is not None  # written by ourselves
    return found


triggers.register("automation.sequence", InOrder(), module=__name__)
