"""How a rule is judged: on an event, on a sample, at a moment. Pure, so that the live engine, a try and a back-test cannot differ.

Called by `services.judging`: by `judgement` with what is remembered in rows, by `trials` with what is remembered in a dictionary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from automation.engine import holding
from automation.engine.discipline import Decision, Discipline, Standing, decide
from automation.engine.holding import Hold
from automation.enums import Reason, Result
from config.acts.language import conditions
from config.acts.language.conditions import Condition, Part
from config.acts.plugins.triggers import Seen, Trigger, Waking

Standings = Callable[[], Standing]


@dataclass(frozen=True)
class Armed:
    """A rule made ready to be judged. `hears`: what its trigger listens to; `problem`: why it cannot be judged, as a sentence."""

    pk: int
    uid: str
    name: str
    trigger: Trigger
    params: Mapping[str, Any]
    conditions: Sequence[Condition]
    discipline: Discipline
    clear: Condition | None = None
    for_seconds: float = 0.0
    debounce_seconds: int = 0
    subject_path: str = ""
    hears: Sequence[str] = ()
    problem: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Every name that its conditions use."""
        return frozenset().union(*(one.names for one in (*self.conditions, *([self.clear] if self.clear else []))))


@dataclass(frozen=True)
class Memory:
    """What is remembered of one rule and one subject between two wakings."""

    state: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    quiet_at: datetime | None = None
    quiet_event: str = ""
    quiet_facts: Mapping[str, Any] = field(default_factory=dict)
    hold: Hold = field(default_factory=Hold)
    fired_at: datetime | None = None


@dataclass(frozen=True)
class Ruling:
    """What became of one waking: `slot` is the moment it counts for, `has_cleared` that an alert is over."""

    result: str
    reason: str
    text: str
    memory: Memory
    slot: datetime
    parts: Sequence[Part] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    has_cleared: bool = False

    @property
    def fires(self) -> bool:
        """In earnest or in shadow."""
        return self.result in (Result.FIRED, Result.SHADOW)


@dataclass(frozen=True)
class Truth:
    """All conditions of a rule together, three-valued, with every part."""

    truth: bool | None
    parts: Sequence[Part]

    @property
    def dips(self) -> bool | None:
        """As `truth`; but what is unknown only because some parts are, while none holds and one is known not to, counts as a dip."""
        known = [part.truth for part in self.parts]
        return False if self.truth is None and True not in known and False in known else self.truth


def begin(armed: Armed, now: datetime) -> Memory:
    """What it remembers first, once it is switched on. Judged subject by subject it begins with the first event of each."""
    if armed.subject_path and armed.hears:
        return Memory()
    waking = armed.trigger.begin(armed.params, now)
    return Memory(state=waking.state, due_at=waking.due_at)


def weigh(armed: Armed, values: Mapping[str, Any]) -> Truth:
    """Whether all conditions hold: one that is false decides, otherwise one that is unknown does."""
    judged = [conditions.evaluate(one, values) for one in armed.conditions]
    truths = [one.truth for one in judged]
    parts = [part for one in judged for part in one.parts]
    return Truth(False if False in truths else None if None in truths else True, parts)


def on_event(armed: Armed, memory: Memory, seen: Seen, values: Mapping[str, Any], *, standing: Standings, now: datetime) -> Ruling:
    """An event that the trigger listens to. A de-bounced one waits until it has been quiet."""
    waking = armed.trigger.hear(armed.params, memory.state, seen)
    memory = replace(memory, state=waking.state, due_at=waking.due_at or memory.due_at)
    if not waking.slots:
        return Ruling(Result.NOT_MET, Reason.TRIGGER, waking.reason or "The trigger waits for more.", memory, seen.at)
    if armed.debounce_seconds:
        quiet = now + timedelta(seconds=armed.debounce_seconds)
        memory = replace(memory, quiet_at=quiet, quiet_event=seen.uid, quiet_facts=waking.facts)
        return Ruling(Result.HELD, Reason.DEBOUNCE, f"It waits until nothing came for {armed.debounce_seconds} s.", memory, seen.at)
    return _consider(armed, memory, waking.slots[-1], {**values, **waking.facts}, waking.facts, standing=standing, now=now)


def on_quiet(armed: Armed, memory: Memory, slot: datetime, values: Mapping[str, Any], *, standing: Standings, now: datetime) -> Ruling:
    """A de-bounced event whose time has come."""
    facts, memory = memory.quiet_facts, replace(memory, quiet_at=None, quiet_event="", quiet_facts={})
    return _consider(armed, memory, slot, {**values, **facts}, facts, standing=standing, now=now)


def on_due(armed: Armed, memory: Memory, values: Mapping[str, Any], *, standing: Standings, now: datetime) -> list[Ruling]:
    """The moment that the trigger asked for: a ruling for each time it fires for."""
    waking: Waking = armed.trigger.due(armed.params, memory.state, now)
    memory = replace(memory, state=waking.state, due_at=waking.due_at)
    if not waking.slots:
        return [Ruling(Result.NOT_MET, Reason.TRIGGER, waking.reason or "The trigger waits for more.", memory, now)]
    rulings: list[Ruling] = []
    for slot in waking.slots:
        facts = {"scheduled_at": slot.isoformat(), **waking.facts}
        rulings.append(_consider(armed, memory, slot, {**values, **facts}, facts, standing=standing, now=now))
        memory = rulings[-1].memory
    return rulings


def on_sample(
    armed: Armed, memory: Memory, values: Mapping[str, Any], *, at: datetime, interval_seconds: float, standing: Standings
) -> Ruling:
    """One more sample, at its own time."""
    if armed.problem:
        return broken(memory, at, armed.problem)
    weighed = weigh(armed, values)
    hold = holding.step(memory.hold, at=at, truth=weighed.dips, interval_seconds=interval_seconds, for_seconds=armed.for_seconds)
    hold, has_cleared = _cleared(armed, hold, weighed.dips, values)
    memory = replace(memory, hold=hold)
    if weighed.truth is not True:
        return _unmet(weighed, memory, at, has_cleared)
    if not holding.is_ripe(hold, for_seconds=armed.for_seconds):
        text = f"It has held for {hold.held_seconds:g} s of {armed.for_seconds:g} s."
        return Ruling(Result.HELD, Reason.FOR, text, memory, at, weighed.parts, has_cleared=has_cleared)
    if hold.is_active and not (armed.trigger.repeats or armed.discipline.cooldown_seconds):
        return Ruling(Result.HELD, Reason.STILL, "It fired already and has not cleared since.", memory, at, weighed.parts)
    decided = decide(armed.discipline, _of(standing(), memory), at)
    if decided.fires:
        memory = replace(memory, hold=replace(hold, is_active=True), fired_at=at)
    return _ruled(decided, memory, slot=at, parts=weighed.parts, facts=_used(weighed.parts), has_cleared=has_cleared)


def _cleared(armed: Armed, hold: Hold, truth: bool | None, values: Mapping[str, Any]) -> tuple[Hold, bool]:
    """Whether an active rule is over with this sample: by its own condition for that, or because the first no longer holds."""
    if not hold.is_active:
        return hold, False
    is_over = truth is False if armed.clear is None else conditions.evaluate(armed.clear, values).truth is True
    return (replace(hold, is_active=False), True) if is_over else (hold, False)


def _consider(
    armed: Armed,
    memory: Memory,
    slot: datetime,
    values: Mapping[str, Any],
    facts: Mapping[str, Any],
    *,
    standing: Standings,
    now: datetime,
) -> Ruling:
    if armed.problem:
        return broken(memory, slot, armed.problem)
    weighed = weigh(armed, values)
    if weighed.truth is not True:
        return _unmet(weighed, memory, slot, False)
    decided = decide(armed.discipline, _of(standing(), memory), now)
    if decided.fires:
        memory = replace(memory, fired_at=now)
    used = {**_used(weighed.parts), **facts}
    return _ruled(decided, memory, slot=slot, parts=weighed.parts, facts=used, has_cleared=False)


def _of(standing: Standing, memory: Memory) -> Standing:
    return replace(standing, fired_at=memory.fired_at)


def _ruled(
    decided: Decision,
    memory: Memory,
    *,
    slot: datetime,
    parts: Sequence[Part],
    facts: Mapping[str, Any],
    has_cleared: bool,
) -> Ruling:
    text = decided.text
    if decided.fires and parts:
        text = f"{text} {told(parts)}"
    return Ruling(decided.result, decided.reason, text, memory, slot, parts, facts, has_cleared)


def _unmet(weighed: Truth, memory: Memory, slot: datetime, has_cleared: bool) -> Ruling:
    result, reason = (Result.UNKNOWN, Reason.UNKNOWN) if weighed.truth is None else (Result.NOT_MET, Reason.NOT_MET)
    decisive = [part for part in weighed.parts if part.truth is weighed.truth] or weighed.parts
    return Ruling(result, reason, told(decisive), memory, slot, weighed.parts, has_cleared=has_cleared)


def broken(memory: Memory, slot: datetime, why: str = "Its trigger failed. The log says why.") -> Ruling:
    """It cannot be judged, and so it never fires."""
    return Ruling(Result.REFUSED, Reason.BROKEN, f"It could not be judged. {why}", memory, slot)


def told(parts: Sequence[Part]) -> str:
    """The parts as sentences."""
    return "; ".join(part.sentence for part in parts) + ("." if parts else "")


def _used(parts: Sequence[Part]) -> dict[str, Any]:
    """What its conditions saw: name → value."""
    return {part.leaf.subject: part.value for part in parts if part.value is not None}


def signature(ruling: Ruling) -> str:
    """What must change for a new verdict to begin: result, reason, and the truth of each part."""
    marks = {True: "T", False: "F", None: "?"}
    return f"{ruling.result}:{ruling.reason}:{''.join(marks[part.truth] for part in ruling.parts)}"[:200]
