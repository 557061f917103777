"""Judges rules as things happen: events as they are routed, samples as they are taken, moments as they come.
Called by the subscriber and by the duties of automation."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from automation.engine import rulings
from automation.engine.rulings import Ruling
from automation.models import Cursor, Execution, Rule, RuleState
from automation.services.judging import arming
from automation.services.judging.arming import Ready
from automation.services.judging.sitting import Sitting
from automation.services.running import pressure
from config.acts.language.values import shown
from config.acts.plugins.triggers import Seen, triggers
from config.kernel.desk import options
from config.kernel.flow import clock, events
from config.kernel.flow.errors import capture
from config.kernel.models import Event, Snapshot

SAMPLES = "samples"
# More snapshots than this in one transaction would hold its locks for too long.
MOST_SAMPLES = 200
# The clock of the machine that measures may be so far ahead of ours; what is later still had a wrong one.
AHEAD = timedelta(minutes=1)
# A trigger that raised is asked again after this long.
LATER = timedelta(minutes=1)


def hear(heard: Sequence[Event]) -> None:
    """Judge every rule that listens to these events, in the caller's transaction; an event heard again fires nothing twice."""
    pairs = arming.listening(heard)
    if not pairs:
        return
    now, given = clock.now(), {event.pk: seen(event) for event in heard}
    subjects = {(event.pk, ready.rule.pk): subject_of(ready.rule.subject_path, given[event.pk]) for event, ready in pairs}
    sitting = Sitting(_unique(ready for _, ready in pairs), now=now, subjects=set(subjects.values()))
    done, measured = _fired_already(heard), pressure.measured()
    values = {event.pk: values_of(given[event.pk], measured) for event in heard}
    for event, ready in pairs:
        if (event.pk, ready.rule.pk) in done:
            continue
        subject = subjects[event.pk, ready.rule.pk]
        standing = partial(sitting.standing, ready.rule)
        memory = sitting.memory(ready.rule, subject)
        with _stepping_aside(ready) as kept:
            kept.ruling = rulings.on_event(ready.armed, memory, given[event.pk], values[event.pk], standing=standing, now=now)
        ruling = kept.ruling or rulings.broken(memory, event.occurred_at)
        sitting.enter(ready, ruling, values=values[event.pk], subject=subject, event=event)
    sitting.close()


def judge_samples() -> int:
    """Judge every rule on each sample since the last one judged, in order; how many samples. One judge at a time, by the cursor's lock."""
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get_or_create(name=SAMPLES)[0]
        latest = clock.now() + AHEAD
        if cursor.at is None or cursor.at > latest:
            # What was measured before there was anybody to judge it, or by a clock that was wrong, is history.
            cursor.at = Snapshot.objects.filter(at__lte=latest).order_by("-at").values_list("at", flat=True).first()
            cursor.save()
            return 0
        snapshots = list(Snapshot.objects.filter(at__gt=cursor.at, at__lte=latest).order_by("at")[:MOST_SAMPLES])
        if snapshots:
            _judge_snapshots(snapshots)
            cursor.at = snapshots[-1].at
            cursor.save()
    return len(snapshots)


def waiting_samples() -> int:
    """How many samples nobody has judged yet."""
    cursor, latest = Cursor.objects.filter(name=SAMPLES).first(), clock.now() + AHEAD
    rows = Snapshot.objects.filter(at__lte=latest)
    if cursor is None or cursor.at is None or cursor.at > latest:
        return int(rows.exists())
    return rows.filter(at__gt=cursor.at)[:MOST_SAMPLES].count()


def judge_due(now: datetime, limit: int) -> int:
    """Ask the triggers whose moment has come, and let de-bounced events count; how many. Each in a transaction of its own."""
    found = list(due(now).order_by("due_at", "quiet_at").values_list("rule", "subject")[:limit])
    ready, measured = {one.rule.pk: one for one in arming.ready()} if found else {}, pressure.measured() if found else {}
    for rule, subject in found:
        if rule in ready:
            with capture("rule.failed", rule=ready[rule].rule.uid) as caught, transaction.atomic():
                _judge_one(ready[rule], subject, measured, now)
            if caught.error is not None:
                _step_aside(RuleState.objects.filter(rule=rule, subject=subject), now)
    return len(found)


def due(now: datetime) -> "QuerySet[RuleState]":
    """What rules remember whose moment has come; rules that are off wait for nothing, those whose trigger is gone wait for it."""
    alive = Rule.living.exclude(mode="off").filter(trigger__in=triggers.all())
    return RuleState.objects.filter(rule__in=alive, due_at__lte=now) | RuleState.objects.filter(rule__in=alive, quiet_at__lte=now)


def values_of(event: Seen | None, measured: Mapping[str, Any]) -> dict[str, Any]:
    """What a condition may name: the event, its data, and what was measured last."""
    if event is None:
        return dict(measured)
    head = {"id": event.uid, "type": event.type, "source": event.source, "subject": event.subject, "at": clock.text(event.at)}
    return {**measured, "event": head, "data": event.data}


def subject_of(path: str, event: Seen) -> str:
    """The value that the rule is judged by itself for; empty when it names no path, or there is nothing there."""
    found: Any = {"event": {"type": event.type, "source": event.source, "subject": event.subject}, "data": event.data}
    for step in path.split(".") if path else []:
        found = found.get(step) if isinstance(found, Mapping) else None
    return str(shown(found)) if path and isinstance(found, str | int | float) else ""


def seen(event: Event) -> Seen:
    """The event as triggers see it."""
    return Seen(event.uid, event.type, event.occurred_at, event.data, event.source, event.subject, events.origin_of(event))


def _fired_already(heard: Sequence[Event]) -> set[tuple[int, int | None]]:
    rows = Execution.objects.filter(event__in=heard, key__isnull=False)
    return set(rows.values_list("event_id", "rule_id"))


def _unique(found: Iterable[Ready]) -> list[Ready]:
    return list({ready.rule.pk: ready for ready in found}.values())


def _judge_snapshots(snapshots: Sequence[Snapshot]) -> None:
    ready = [one for one in arming.ready() if one.armed.trigger.wakes == "sample"]
    if not ready:
        return
    sitting, interval = Sitting(ready, now=clock.now(), subjects=[""]), float(options.get("AUTOMATION_CHECK_INTERVAL"))
    for snapshot in snapshots:
        for one in ready:
            standing: Callable[[], Any] = partial(sitting.standing, one.rule)
            memory = sitting.memory(one.rule)
            with _stepping_aside(one) as kept:
                kept.ruling = rulings.on_sample(
                    one.armed, memory, snapshot.values, at=snapshot.at, interval_seconds=interval, standing=standing
                )
            sitting.enter(one, kept.ruling or rulings.broken(memory, snapshot.at), values=snapshot.values)
    sitting.close()


def _judge_one(ready: Ready, subject: str, measured: Mapping[str, Any], now: datetime) -> None:
    """What is due of one rule and subject, once its memory is locked: somebody else may have been first."""
    sitting = Sitting([ready], now=now, subjects=[subject])
    if _is_due(sitting.memory(ready.rule, subject).quiet_at, now):
        _judge_quiet(sitting, ready, subject, measured)
    if _is_due(sitting.memory(ready.rule, subject).due_at, now):
        _judge_moment(sitting, ready, subject, measured)
    sitting.close()


def _step_aside(states: "QuerySet[RuleState]", now: datetime) -> None:
    """What could not be written is tried again later, so that it does not stand before all others."""
    states.filter(due_at__lte=now).update(due_at=now + LATER)
    states.filter(quiet_at__lte=now).update(quiet_at=now + LATER)


def _is_due(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def _judge_quiet(sitting: Sitting, ready: Ready, subject: str, measured: Mapping[str, Any]) -> None:
    memory = sitting.memory(ready.rule, subject)
    event, slot = Event.objects.filter(uid=memory.quiet_event).first(), memory.quiet_at or sitting.now
    values = values_of(seen(event) if event else None, measured)
    with _stepping_aside(ready) as kept:
        standing = partial(sitting.standing, ready.rule)
        kept.ruling = rulings.on_quiet(ready.armed, memory, slot, values, standing=standing, now=sitting.now)
    ruling = kept.ruling or rulings.broken(replace(memory, quiet_at=None), slot)
    sitting.enter(ready, ruling, values=values, subject=subject, event=event)


def _judge_moment(sitting: Sitting, ready: Ready, subject: str, measured: Mapping[str, Any]) -> None:
    memory, found = sitting.memory(ready.rule, subject), list[Ruling]()
    with _stepping_aside(ready):
        standing = partial(sitting.standing, ready.rule)
        found = rulings.on_due(ready.armed, memory, measured, standing=standing, now=sitting.now)
    for ruling in found or [rulings.broken(replace(memory, due_at=sitting.now + LATER), sitting.now)]:
        sitting.enter(ready, ruling, values={**measured, **ruling.facts}, subject=subject)


@dataclass
class _Kept:
    """What came of judging one rule; nothing, when its trigger raised."""

    ruling: Ruling | None = None


@contextmanager
def _stepping_aside(ready: Ready) -> Iterator[_Kept]:
    """A trigger that raises stops no other rule: it is in the log, and its rule says that it cannot be judged."""
    kept = _Kept()
    with capture("rule.failed", rule=ready.rule.uid):
        yield kept
