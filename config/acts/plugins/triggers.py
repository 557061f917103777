"""What a trigger offers: when a rule wakes. It lives in `<app>/triggers/<name>.py`. Triggers are pure: values in, values out, no rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from django import forms

from config.acts.plugins.actions import NoParameters
from config.kernel.plugins.registry import Registry


@dataclass(frozen=True)
class Seen:
    """An event as triggers see it. `origin` is that of its type (`events.matches` asks for it)."""

    uid: str
    type: str
    at: datetime
    data: Any
    source: str = ""
    subject: str = ""
    origin: str = "program"


@dataclass(frozen=True)
class Waking:
    """What a trigger makes of an event or a moment.

    slots   the moments it fires for, oldest first; none: it does not fire, and `reason` says why
    state   what it wants to be told next time (JSON)
    due_at  when it wants to be asked again although nothing happened
    facts   names it adds to what the rule's condition and parameters may use
    """

    slots: Sequence[datetime] = ()
    reason: str = ""
    state: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class Trigger:
    """Says when a rule wakes. `params` are the cleaned values of `Parameters`, as JSON has them.

    source   the word that executions carry: `schedule, event, threshold, queue, user_activity, absence, sequence` …
    wakes    by `event`, by the `clock`, or with each `sample`; a clock trigger may hear events too
    repeats  a sample trigger fires again with each sample while its condition holds; otherwise once each time it comes true
    """

    title: ClassVar[str] = ""
    about: ClassVar[str] = ""
    source: ClassVar[str] = ""
    wakes: ClassVar[Literal["event", "clock", "sample"]] = "event"
    repeats: ClassVar[bool] = False
    Parameters: ClassVar[type[forms.BaseForm]] = NoParameters

    def summary(self, params: Mapping[str, Any]) -> str:
        """When it wakes, in a few words."""
        return self.title

    def condition(self, params: Mapping[str, Any]) -> str:
        """For a sample trigger: what must hold, in the language of conditions. Empty: the rule's own condition decides alone."""
        return ""

    def listens(self, params: Mapping[str, Any]) -> Sequence[str]:
        """The events it hears: exact names, `prefix.*` or `*`."""
        return ()

    def hear(self, params: Mapping[str, Any], state: Mapping[str, Any], event: Seen) -> Waking:
        """One event that it listens to."""
        return Waking(state=state)

    def pace_seconds(self, params: Mapping[str, Any], now: datetime) -> int | None:
        """The shortest pause between two wakings, where that is known before: of schedules."""
        return None

    def begin(self, params: Mapping[str, Any], now: datetime) -> Waking:
        """The rule was switched on, or its trigger changed: the first state, and when to be asked."""
        return Waking()

    def due(self, params: Mapping[str, Any], state: Mapping[str, Any], now: datetime) -> Waking:
        """The moment it asked for has come."""
        return Waking(state=state)


triggers: Registry[Trigger] = Registry("triggers", one_file_each=True)
