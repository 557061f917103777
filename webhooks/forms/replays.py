"""The form of a replay: from when to when, which events, how fast. Called by the dashboard and the admin."""

from datetime import UTC, timedelta
from typing import Any

from django import forms

from config.kernel.flow import clock
from webhooks.forms.fields import Asking, Lines

_FORMAT = "%Y-%m-%dT%H:%M"
_SECONDS = "%Y-%m-%dT%H:%M:%S"


def _moment(label: str, help_text: str, *, required: bool = True) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_FORMAT)
    return forms.DateTimeField(label=label, help_text=help_text, required=required, widget=widget, input_formats=[_FORMAT, _SECONDS])


class ReplayForm(Asking):
    """Which past events an endpoint is sent again. Times are UTC."""

    layout = (
        ("From when to when", "", ("since", "until"), True),
        ("Which", "", ("events", "only_failed"), True),
        ("How fast", "", ("per_minute",), True),
    )

    since = _moment("Since (UTC)", "Events stored from here on.")
    until = _moment("Until (UTC)", "Empty: now.", required=False)
    events = Lines(label="Events", rows=3, required=False, help_text="One name or prefix.* a line. Empty: what the endpoint subscribes to.")
    only_failed = forms.BooleanField(
        label="Only what it has not got", required=False, initial=True, help_text="Leaves out events that were delivered to it."
    )
    per_minute = forms.IntegerField(
        label="Events per minute", min_value=1, max_value=60_000, initial=600, help_text="So that the receiver is not flooded."
    )

    def __init__(self, *args: Any, **given: Any) -> None:
        given["initial"] = {"since": (clock.now() - timedelta(hours=24)).astimezone(UTC).strftime(_FORMAT), **given.get("initial", {})}
        super().__init__(*args, **given)

    def window(self) -> dict[str, Any]:
        """What `replay.preview` and `replay.start` ask for, without the pace."""
        typed = self.cleaned_data
        found = {name: typed[name].replace(tzinfo=UTC) if typed[name] else None for name in ("since", "until")}
        return {**found, "events": typed["events"], "only_failed": typed["only_failed"]}
