"""What a rule would do, without doing it: on one past event or on the present values, and over everything recorded in a window.
Called by API, admin, dashboard and the command `rules`."""

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from automation.engine import holding, rulings
from automation.engine.discipline import Standing
from automation.engine.rulings import Armed, Memory, Ruling
from automation.models import Rule
from automation.services.judging import judgement
from automation.services.judging.arming import arm
from automation.services.judging.verdicts import parts_as_json
from automation.services.running import pressure
from config.acts.plugins.triggers import Seen
from config.acts.running import forms, invocations
from config.acts.texts import paths
from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import clock, events
from config.kernel.flow.errors import InvalidInput, StewardError
from config.kernel.models import Event

CHUNK, MOST_FIRINGS = 2000, 200
# The window of a back-test in so many equal parts, for a chart.
COLUMNS = 48
USUAL, LONGEST = timedelta(days=7), timedelta(days=31)
# Outside of these nothing can be recorded; an hour or a window more is still in the calendar.
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
# What is read of a recorded event: what it says, not how it was handled.
READ = ("uid", "type", "body", "source", "subject", "occurred_at", "created_at")
# Names that come with the event; others ask for the samples beside it.
OF_EVENTS = ("event", "data")


@dataclass(frozen=True)
class Tried:
    """What would happen: the ruling, and each action with its parameters filled in, or why they cannot be."""

    result: str
    reason: str
    text: str
    parts: Sequence[Mapping[str, Any]]
    actions: Sequence[Mapping[str, Any]]
    problem: str = ""


@dataclass
class Tested:
    """A back-test. `firings`: the first MOST_FIRINGS moments it would have fired at; `held` by reason: what its discipline kept back.

    `fired_in` and `held_in` count by part of the window.
    """

    since: datetime
    until: datetime
    covered_until: datetime
    judged: int = 0
    fired: int = 0
    firings: list[dict[str, Any]] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    held: Counter[str] = field(default_factory=Counter)
    fired_in: Counter[int] = field(default_factory=Counter)
    held_in: Counter[int] = field(default_factory=Counter)

    def column_of(self, at: datetime) -> int:
        """Which of the COLUMNS equal parts of the window a moment lies in."""
        return min(COLUMNS - 1, max(0, int((at - self.since) / (self.until - self.since) * COLUMNS)))

    @property
    def is_complete(self) -> bool:
        """Whether the whole window was gone through."""
        return self.covered_until >= self.until


def try_event(rule: Rule, event: Event) -> Tried:
    """As if the event came now, its trigger remembering nothing; de-bouncing and discipline left aside."""
    armed, seen = _armed(rule), judgement.seen(event)
    values = judgement.values_of(seen, pressure.measured())
    patterns = armed.hears
    if not patterns:
        return try_now(rule, values=values)
    if not events.matches(patterns, event.type, origin=seen.origin):
        text = f"It listens to {', '.join(patterns)}; this event is {event.type}."
        return Tried("not_met", "trigger", text, (), ())
    waking = armed.trigger.hear(armed.params, {}, seen)
    if not waking.slots:
        return Tried("not_met", "trigger", waking.reason or "The trigger waits for more.", (), ())
    return try_now(rule, values={**values, **waking.facts})


def try_now(rule: Rule, *, values: Mapping[str, Any] | None = None) -> Tried:
    """By its conditions alone, on the values given or measured last."""
    armed = _armed(rule)
    found = pressure.measured() if values is None else values
    weighed = rulings.weigh(armed, found)
    result, reason = {True: ("fired", "met"), False: ("not_met", "not_met"), None: ("unknown", "unknown")}[weighed.truth]
    said = rulings.told(weighed.parts) or "It has no condition: whenever it wakes, it fires."
    planned, problem = _planned(rule, found)
    return Tried(result, reason, said, parts_as_json(weighed.parts), planned, problem)


def back_test(
    rule: Rule,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    budget_seconds: float | None = None,
    tell: Callable[[Tested], None] | None = None,
) -> Tested:
    """Judge everything recorded in the window, by default the last seven days, by this rule alone; nothing is run or stored.

    Stops after `budget_seconds` and says how far it came; `tell` hears of progress. Raises InvalidInput for an empty window or one
    longer than a month.
    """
    since, until = _window(since, until or clock.now())
    armed, tested = _armed(rule), Tested(since, until, since)
    end = None if budget_seconds is None else time.monotonic() + budget_seconds
    for moment in _walk(armed, tested):
        tested.covered_until = moment
        if tell is not None:
            tell(tested)
        if end is not None and time.monotonic() >= end:
            return tested
    tested.covered_until = until
    return tested


def _window(since: datetime | None, until: datetime) -> tuple[datetime, datetime]:
    if not FIRST < until < LAST:
        raise InvalidInput("Nothing is recorded of that time. Give another `until`.", fields={"until": ["Outside of all records."]})
    begin = since or until - USUAL
    if not begin < until or until - begin > LONGEST:
        sentence = f"A back-test covers up to {LONGEST.days} days, and its end comes after its beginning."
        raise InvalidInput(sentence, fields={"since": [sentence]})
    return begin, until


class _Machine:
    """One rule judged with what it remembers in memory, by the same rulings as the live engine and in the same order of moments."""

    def __init__(self, armed: Armed, tested: Tested, samples: "_Samples | None") -> None:
        self.armed, self.tested, self.samples = armed, tested, samples
        self.memories: dict[str, Memory] = {}
        self.moment = tested.since
        self.recent: deque[datetime] = deque()
        self.interval = float(options.get("AUTOMATION_CHECK_INTERVAL"))
        # Moments that were asked for, soonest first; what was asked for anew meanwhile leaves its old moment here.
        self._asked: list[tuple[datetime, str]] = []
        self._quiet: dict[str, Seen] = {}

    def begin(self) -> None:
        """Switched on at the beginning of the window."""
        self._remember("", rulings.begin(self.armed, self.moment))

    def hear(self, seen: Seen) -> None:
        """One recorded event."""
        self.pass_time(seen.at)
        self.moment = seen.at
        subject = judgement.subject_of(self.armed.subject_path, seen)
        memory = self.memories.get(subject, Memory())
        ruling = rulings.on_event(self.armed, memory, seen, self._values(seen), standing=self.standing, now=seen.at)
        if ruling.memory.quiet_event == seen.uid:
            self._quiet[subject] = seen
        self.enter(ruling, subject, seen.uid)

    def sample(self, at: datetime, values: Mapping[str, Any]) -> None:
        """One recorded sample."""
        self.moment, memory = at, self.memories.get("", Memory())
        ruling = rulings.on_sample(self.armed, memory, values, at=at, interval_seconds=self.interval, standing=self.standing)
        self.enter(ruling, "")

    def pass_time(self, now: datetime) -> None:
        """Everything that was asked for up to `now`, of whichever subject, in its order."""
        while self._asked and self._asked[0][0] <= now:
            self.moment, subject = heapq.heappop(self._asked)
            memory = self.memories[subject]
            if memory.quiet_at == self.moment:
                seen = self._quiet.pop(subject)
                ruling = rulings.on_quiet(self.armed, memory, self.moment, self._values(seen), standing=self.standing, now=self.moment)
                self.enter(ruling, subject, seen.uid)
            elif memory.due_at == self.moment:
                for ruling in rulings.on_due(self.armed, memory, self._values(None), standing=self.standing, now=self.moment):
                    self.enter(ruling, subject)

    def standing(self) -> Standing:
        """As if automation ran, its owner might, and every execution ended at once."""
        while self.recent and self.moment - self.recent[0] >= timedelta(hours=1):
            self.recent.popleft()
        return Standing(fired_this_hour=len(self.recent))

    def enter(self, ruling: Ruling, subject: str, event_uid: str = "") -> None:
        """Count it."""
        self._remember(subject, ruling.memory)
        self.tested.judged += 1
        self.tested.results[str(ruling.result)] += 1
        if ruling.fires:
            self.recent.append(self.moment)
            self.tested.fired += 1
            self.tested.fired_in[self.tested.column_of(ruling.slot)] += 1
            if len(self.tested.firings) < MOST_FIRINGS:
                self.tested.firings.append({"at": ruling.slot, "subject": subject, "event": event_uid, "text": ruling.text})
        elif ruling.result == "held":
            self.tested.held[str(ruling.reason)] += 1
            self.tested.held_in[self.tested.column_of(ruling.slot)] += 1

    def _values(self, seen: Seen | None) -> dict[str, Any]:
        return judgement.values_of(seen, self.samples.at(self.moment, self.interval) if self.samples else {})

    def _remember(self, subject: str, memory: Memory) -> None:
        before = self.memories.get(subject, Memory())
        self.memories[subject] = memory
        for old, new in ((before.quiet_at, memory.quiet_at), (before.due_at, memory.due_at)):
            if new is not None and new != old:
                heapq.heappush(self._asked, (new, subject))


def _walk(armed: Armed, tested: Tested) -> Iterator[datetime]:
    """Go through what is recorded; yields how far it came, now and then."""
    since, until = tested.since, tested.until
    is_measured = any(name.partition(".")[0] not in OF_EVENTS for name in armed.names)
    machine = _Machine(armed, tested, _Samples(since, until) if is_measured else None)
    machine.begin()
    if armed.trigger.wakes == "sample":
        yield from _samples(machine, since, until)
    elif armed.hears:
        yield from _events(armed, machine, since, until)
    else:
        yield from _hours(machine, since, until)
    machine.pass_time(until)


def _samples(machine: _Machine, since: datetime, until: datetime) -> Iterator[datetime]:
    for count, (at, values) in enumerate(series.snapshots(since, until)):
        machine.sample(at, values)
        if count % CHUNK == 0:
            yield at


def _hours(machine: _Machine, since: datetime, until: datetime) -> Iterator[datetime]:
    while since < until:
        since += timedelta(hours=1)
        machine.pass_time(min(since, until))
        yield min(since, until)


def _events(armed: Armed, machine: _Machine, since: datetime, until: datetime) -> Iterator[datetime]:
    patterns = armed.hears
    rows = Event.objects.filter(created_at__gte=since, created_at__lt=until, route_note="").order_by("created_at", "id")
    if all(not pattern.endswith("*") for pattern in patterns):
        rows = rows.filter(type__in=list(patterns))
    rows = rows.only(*READ)
    for count, event in enumerate(rows.iterator(chunk_size=CHUNK)):
        seen = judgement.seen(event)
        if events.matches(patterns, event.type, origin=seen.origin):
            machine.hear(seen)
        if count % CHUNK == 0:
            yield event.created_at


class _Samples:
    """The recorded samples beside a walk in time: the latest before each moment."""

    def __init__(self, since: datetime, until: datetime) -> None:
        self.rows = series.snapshots(since - timedelta(hours=1), until)
        self.last: tuple[datetime, Mapping[str, Any]] | None = None
        self.next = next(self.rows, None)

    def at(self, moment: datetime, interval_seconds: float) -> Mapping[str, Any]:
        """What was known at that moment; moments never go back."""
        while self.next is not None and self.next[0] <= moment:
            self.last = self.next
            self.next = next(self.rows, None)
        return self.last[1] if self.last and holding.is_of_now(self.last[0], moment, interval_seconds=interval_seconds) else {}


def _armed(rule: Rule) -> Armed:
    armed = arm(rule)
    if armed.problem:
        raise InvalidInput(armed.problem)
    return armed


def _planned(rule: Rule, values: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Each action as it would be called, secrets hidden."""
    facts = {**values, "rule": {"id": rule.uid, "name": rule.name}, "subject": ""}
    planned: list[dict[str, Any]] = []
    for step in rule.steps:
        action = invocations.find_action(step["action"])
        try:
            params = paths.fill(step["params"], facts)
        except StewardError as error:
            return planned, f"{step['action']}: {error.message}"
        shown = forms.masked(action.Parameters, params)
        planned.append({"action": step["action"], "title": action.title, "summary": action.summary(shown), "params": shown})
    return planned, ""
