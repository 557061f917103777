"""`automation.sequence`: certain events one after another, within a time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django import forms

from config.acts.plugins.triggers import Seen, Trigger, Waking, triggers
from config.acts.running.forms import Words
from config.kernel.flow import clock, events
from config.look import words

Way = list[list[str]]


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
    """The trigger. Its state is, for the first one, two, three … of the names, the way through them that began last: events and times."""

    title = "When things happen in an order"
    about = "All of these events, in this order, within a time; others may come in between. With a subject path, each subject by itself."
    source = "sequence"
    wakes = "event"
    Parameters = SequenceForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"{' then '.join(params['events'])} come within {words.lasting(params['within_seconds'])}"

    def listens(self, params: Mapping[str, Any]) -> Sequence[str]:
        return sorted(set(params["events"]))

    def hear(self, params: Mapping[str, Any], state: Mapping[str, Any], event: Seen) -> Waking:
        names, at = params["events"], clock.text(event.at)
        ways: list[Way] = list(state.get("ways", [[]] * len(names)))
        if at < state.get("after", "") or any(uid == event.uid for way in ways for uid, _ in way):
            return Waking(reason="This event counted already, or is older than the sequence that came last.", state=state)
        earliest = clock.text(event.at - timedelta(seconds=params["within_seconds"]))
        ways = [way if way and way[0][1] >= earliest else [] for way in ways]
        for place in reversed(range(len(names))):
            before = ways[place - 1] if place else []
            way, known = [*before, [event.uid, at]], ways[place]
            is_next = len(before) == place and all(then <= at for _, then in before[-1:])
            is_newer = not known or known[0][1] <= way[0][1]
            if is_next and is_newer and events.matches([names[place]], event.type, origin=event.origin):
                ways[place] = way
        if ways[-1]:
            return Waking(slots=[event.at], state={"after": at}, facts={"sequence": [uid for uid, _ in ways[-1]]})
        come = max(map(len, ways))
        return Waking(reason=f"{come} of {len(names)} events came; next is {names[come]}.", state={**state, "ways": ways})


triggers.register("automation.sequence", InOrder(), module=__name__)
