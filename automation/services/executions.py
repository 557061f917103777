"""Executions from their start to their end: one action after the other, so many at once over all workers, within their time.
Called by the duty `automation.advance`, by doors that cancel or look, and by the façade."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, F, Q, QuerySet

from automation.engine.discipline import most_at_once
from automation.enums import JUDGED, OPEN, ExecutionStatus, Reason
from automation.models import Cursor, Execution, Rule, Verdict
from automation.services.running import orders, pressure
from automation.services.saving import hiding
from config.acts.models import Invocation
from config.acts.models.tables import rewrite
from config.acts.running import invocations
from config.acts.running.invocations import Wanted
from config.kernel.desk import options
from config.kernel.flow import clock, context, events, tidy, transitions
from config.kernel.flow.errors import Conflict, NotFound, StewardError
from config.kernel.models import AuditRecord
from config.kernel.watch import audit, metrics

Status, Call = ExecutionStatus, Invocation.Status
STARTING = "executions"
# What an invocation does that is waiting for a person or for a time: it takes no room, and its time does not count.
ASIDE = (Call.AWAITING_APPROVAL, Call.WAITING)
# A person answers within days; an execution that waits for nobody any more still ends.
WAITING_SLACK = timedelta(hours=1)
MOVED = ("position", "failures", "current", "error_code", "error_message", "deadline_at")


@dataclass(frozen=True)
class Figures:
    """Of all kept executions: share of successes among those that ran to an end (0 to 1), and their mean time in seconds."""

    success_rate: float
    average_seconds: float
    counts: Mapping[str, int]


def find(uid: str) -> Execution:
    """The execution. Raises NotFound."""
    found = Execution.objects.filter(uid=uid).select_related("rule", "event").first()
    if found is None:
        raise NotFound(f"There is no execution {uid!r}. It may have been removed after its retention time.")
    return found


def advance(now: datetime, limit: int) -> int:
    """End what has ended, take the next steps, start what may start; how many executions moved. One at a time, by the cursor's lock."""
    with transaction.atomic():
        Cursor.objects.select_for_update().get_or_create(name=STARTING)
        running = list(_with_rule(Execution.objects.filter(status=Status.RUNNING)).order_by("id"))
        calls = {row.uid: row for row in Invocation.objects.filter(uid__in=[one.current for one in running if one.current])}
        moved = [one for one in running if _look(one, calls.get(one.current), now)]
        started = _startable(now, limit)
        Execution.objects.filter(pk__in=[one.pk for one in started], status=Status.PENDING).update(
            status=Status.RUNNING, started_at=now, held_until=None
        )
        _step_all([one for one in (*moved, *started) if one.status == Status.RUNNING], now)
        return len(moved) + len(started)


def due_count(now: datetime) -> int:
    """How many have something to be done for."""
    running = Execution.objects.filter(status=Status.RUNNING)
    ended = Invocation.objects.exclude(status__in=[*Invocation.OPEN]).filter(uid__in=running.values("current"))
    late = running.filter(deadline_at__lte=now)
    return int(ended.exists() or late.exists() or (_pending(now).exists() and _room() > 0))


@transaction.atomic
def cancel(execution: Execution, *, reason: str = "") -> bool:
    """Stop it: what has not begun never does, what runs is stopped. False when it has ended already."""
    if not transitions.move(execution, to=Status.CANCELLED, ended_at=clock.now(), error_code="cancelled", error_message=reason):
        return False
    # What it waits for by now, not when it was read.
    execution.refresh_from_db(fields=["current"])
    if execution.current:
        call = Invocation.objects.filter(uid=execution.current).first()
        if call is not None:
            invocations.cancel(call, reason=reason)
    audit.record("execution.cancelled", execution, kind=AuditRecord.Kind.ACTION_EXECUTION, reason=reason)
    orders.nudge()
    return True


@transaction.atomic
def run_now(rule: Rule, *, user: str, values: Mapping[str, object] | None = None) -> Execution:
    """Start it by hand, whatever its trigger and conditions say; with the rights of whoever asks. Raises Forbidden, Conflict."""
    for step in rule.steps:
        invocations.ensure_may(user, invocations.find_action(step["action"]))
    if not rule.steps:
        raise Conflict(f"The rule {rule.name!r} has no actions; add one before running it.")
    now = clock.now()
    execution = Execution(
        rule=rule,
        name=rule.name,
        key=f"{rule.uid}:manual:{context.valid_correlation_id('')}",
        source="manual",
        reason=Reason.MET,
        reason_text=f"Started by {user}.",
        priority=rule.priority,
        owner=user,
        actor=user,
        correlation_id=context.current().correlation_id or context.valid_correlation_id(""),
        on_failure=rule.on_failure,
        timeout_seconds=orders.timeout_of(rule),
        created_at=now,
    )
    orders.fill_one(execution, rule.steps, values or pressure.measured())
    execution.save(force_insert=True)
    Rule.objects.filter(pk=rule.pk).update(last_fired_at=now)
    audit.record("rule.executed", rule, kind=AuditRecord.Kind.ACTION_EXECUTION, execution=execution.uid)
    orders.nudge()
    return execution


def invocations_of(execution: Execution) -> "QuerySet[Invocation]":
    """Its calls, in order."""
    return Invocation.objects.filter(caller=f"execution:{execution.uid}").order_by("id")


def calls_of(rows: Sequence[Execution]) -> dict[str, list[Invocation]]:
    """Execution id → its calls in order; those of a whole list in one statement."""
    found: dict[str, list[Invocation]] = {row.uid: [] for row in rows}
    for call in Invocation.objects.filter(caller__in=[f"execution:{uid}" for uid in found]).defer("log", "state").order_by("id"):
        found[call.caller.removeprefix("execution:")].append(call)
    return found


def shown_actions(execution: Execution) -> list[dict[str, Any]]:
    """What it was to do, secrets masked."""
    return hiding.shown(execution.actions)


def figures(rows: "QuerySet[Execution] | None" = None) -> Figures:
    """Counts, success rate and mean time. Without any: zeros, so that they can be printed as they are."""
    found = (Execution.objects.all() if rows is None else rows).order_by()
    counts = dict(found.values_list("status").annotate(Count("id")))
    judged = sum(counts.get(status, 0) for status in JUDGED)
    spent = found.filter(status__in=JUDGED, started_at__isnull=False).aggregate(mean=Avg(F("ended_at") - F("started_at")))["mean"]
    rate = counts.get(Status.COMPLETED, 0) / judged if judged else 0.0
    return Figures(rate, spent.total_seconds() if spent else 0.0, counts)


def remove_old(now: datetime) -> int:
    """Delete executions past EXECUTION_RETENTION_DAYS; how many. Open ones stay."""
    since = now - timedelta(days=options.get("EXECUTION_RETENTION_DAYS"))
    old = Execution.objects.filter(created_at__lt=since).exclude(status__in=OPEN)
    Verdict.objects.filter(execution__in=old).update(execution=None)
    return tidy.remove(old)


def _room() -> int:
    """How many more may run: those that wait for a person or a time take no room."""
    aside = Invocation.objects.filter(status__in=ASIDE).values("uid")
    running = Execution.objects.filter(status=Status.RUNNING).exclude(current__in=aside).count()
    most: int = options.get("AUTOMATION_MAX_CONCURRENT")
    return max(0, most - running)


def _look(execution: Execution, call: Invocation | None, now: datetime) -> bool:
    """One running execution: whether it moved."""
    if call is None or call.status not in Invocation.OPEN:
        _after(execution, call, now)
        return True
    if call.status in ASIDE:
        kept = now + timedelta(seconds=execution.timeout_seconds)
        # Far enough for many turns: a wait of days is not written down at each of them.
        if execution.deadline_at is None or execution.deadline_at < kept + WAITING_SLACK / 2:
            Execution.objects.filter(pk=execution.pk).update(deadline_at=kept + WAITING_SLACK)
        return False
    if execution.deadline_at is not None and execution.deadline_at <= now:
        _end(execution, Status.TIMEOUT, now, code="timeout", message=f"It took longer than {execution.timeout_seconds} s.")
        invocations.cancel(call, reason="The time of the whole execution was up.")
        return True
    return False


def _after(execution: Execution, call: Invocation | None, now: datetime) -> None:
    """An action has ended: the next one is to be called, or that was the end."""
    if call is None:
        return
    execution.position += 1
    if call.status in (Call.COMPLETED, Call.UNDONE):
        return
    execution.failures += 1
    execution.error_code, execution.error_message = call.error_code or call.status, call.error_message
    if execution.on_failure == "stop":
        _end(execution, _status_after(call), now, code=execution.error_code, message=call.error_message)


def _status_after(call: Invocation) -> str:
    """What a failed action makes of its execution. What was not tried was skipped."""
    return {Call.TIMEOUT: Status.TIMEOUT, Call.REFUSED: Status.SKIPPED, Call.CANCELLED: Status.CANCELLED}.get(
        Call(call.status), Status.FAILED
    )


def _step_all(moving: Sequence[Execution], now: datetime) -> None:
    """Have the next action of each called, all in a few statements; what has none left ends."""
    wanted: list[tuple[Execution, Wanted]] = []
    # Locked, and without what somebody cancelled since it was read.
    alive = Execution.objects.select_for_update().filter(pk__in=[one.pk for one in moving], status=Status.RUNNING).order_by("pk")
    keys = set(alive.values_list("pk", flat=True)) if moving else set()
    for execution in moving:
        if execution.pk not in keys:
            continue
        steps = execution.actions or []
        if execution.position < len(steps):
            with _about(execution, now):
                wanted.append((execution, _wanted(execution, steps[execution.position], now)))
        else:
            status = Status.FAILED if execution.failures else Status.COMPLETED
            _end(execution, status, now, code=execution.error_code, message=execution.error_message)
    for execution, row in (called := _called(wanted, now)):
        execution.current = row.uid
    rewrite([execution for execution, _ in called], MOVED)


def _called(wanted: Sequence[tuple[Execution, Wanted]], now: datetime) -> list[tuple[Execution, Invocation]]:
    """The invocations; where one is refused, each is asked for by itself, and the refused execution ends."""
    if not wanted:
        return []
    try:
        with transaction.atomic():
            rows = invocations.call_many([one for _, one in wanted])
        return [(execution, row) for (execution, _), row in zip(wanted, rows, strict=True)]
    except StewardError:
        found = []
        for execution, one in wanted:
            with _about(execution, now), transaction.atomic():
                found += [(execution, row) for row in invocations.call_many([one])]
        return found


@contextmanager
def _about(execution: Execution, now: datetime) -> Iterator[None]:
    """What is refused here ends the execution."""
    try:
        yield
    except StewardError as error:
        _end(execution, Status.FAILED, now, code=error.code, message=error.message)


def _wanted(execution: Execution, step: Mapping[str, Any], now: datetime) -> Wanted:
    left = max(1.0, (execution.deadline_at - now).total_seconds()) if execution.deadline_at else float(execution.timeout_seconds)
    action = invocations.find_action(step["action"])
    own = action.timeout_seconds or float(options.get("ACTION_TIMEOUT"))
    return Wanted(
        step["action"],
        step["params"],
        owner=execution.owner,
        caller=f"execution:{execution.uid}",
        key=f"{execution.uid}:{execution.position}",
        follower=orders.DUTY,
        priority=execution.priority,
        timeout_seconds=min(own, left),
        is_automatic=not execution.actor,
        is_begun=True,
        about=_context(execution),
    )


def _context(execution: Execution) -> context.Context:
    cause = execution.event.uid if execution.event else ""
    actor = execution.actor or execution.owner
    return context.Context(correlation_id=execution.correlation_id, actor=actor, cause_uid=cause, hops=execution.hops)


def _startable(now: datetime, limit: int) -> list[Execution]:
    """Pending executions that are to start now, the most urgent first, as many as there is room for; their time runs from here."""
    room = min(_room(), limit)
    if room <= 0:
        return []
    busy = _running_by_rule()
    # A long line of a rule that has no place must not stand before the others.
    full = [rule for rule, most, running in busy if most is not None and running >= most]
    waiting = _with_rule(_pending(now).exclude(rule__in=full, actor="")).order_by("-priority", "id")
    counts, load, found = Counter({rule: running for rule, _, running in busy}), pressure.look(), list[Execution]()
    for execution in waiting[: room * 4]:
        if len(found) >= room:
            break
        if not _may_start(execution, counts) or pressure.postpone(execution, load, now):
            continue
        execution.status, execution.started_at = Status.RUNNING, now
        execution.deadline_at = now + timedelta(seconds=execution.timeout_seconds)
        counts[execution.rule_id or 0] += 1
        found.append(execution)
    return found


def _pending(now: datetime) -> "QuerySet[Execution]":
    """What may start: while automation is stopped only what a person asked for."""
    rows = Execution.objects.filter(status=Status.PENDING).filter(Q(held_until__isnull=True) | Q(held_until__lte=now))
    return rows if options.get("AUTOMATION_RUNNING") else rows.exclude(actor="")


def _with_rule(rows: "QuerySet[Execution]") -> "QuerySet[Execution]":
    """With what moving one asks of its rule and its event; a rule's actions would be decrypted, an event's body may be a megabyte."""
    return rows.select_related("rule", "event").defer("rule__actions", "rule__about", "event__body")


def _running_by_rule() -> list[tuple[int, int | None, int]]:
    """Each rule of which something runs, how many at once may, and how many do."""
    rows = Execution.objects.filter(rule__isnull=False, status=Status.RUNNING).order_by()
    counted = rows.values_list("rule", "rule__concurrency", "rule__max_parallel").annotate(Count("id"))
    return [(rule, most_at_once(concurrency, parallel), count) for rule, concurrency, parallel, count in counted]


def _may_start(execution: Execution, running: Mapping[int, int]) -> bool:
    """By the rule's concurrency; the latest of a rule that restarts takes the place of all before it."""
    rule = execution.rule
    if rule is None or execution.actor:
        return True
    most = most_at_once(rule.concurrency, rule.max_parallel)
    if most is not None:
        return running.get(rule.pk, 0) < most
    latest = Execution.objects.filter(rule=rule, status__in=OPEN, actor="").order_by("pk").last() or execution
    for earlier in Execution.objects.filter(rule=rule, status__in=OPEN, pk__lt=latest.pk):
        cancel(earlier, reason=f"The rule fired again: {latest.uid} takes its place.")
    return bool(latest == execution)


def _end(execution: Execution, status: str, now: datetime, *, code: str = "", message: str = "") -> None:
    is_good = status == Status.COMPLETED
    changes = {"position": execution.position, "failures": execution.failures, "ended_at": now, "deadline_at": None}
    if not transitions.move(
        execution, to=status, **changes, error_code="" if is_good else code[:40], error_message="" if is_good else message
    ):
        return
    metrics.count("executions_total", source=execution.source, outcome=str(status))
    if execution.started_at is not None:
        metrics.observe("execution_seconds", (now - execution.started_at).total_seconds())
    if status in (Status.COMPLETED, Status.FAILED, Status.TIMEOUT):
        _announce(execution)


def _announce(execution: Execution) -> None:
    name = "execution.completed" if execution.status == Status.COMPLETED else "execution.failed"
    with context.using(**vars(_context(execution))):
        events.publish(name, subject=execution, data=as_event(execution))


def as_event(execution: Execution) -> dict[str, object]:
    """What is said of it to whoever subscribed."""
    return {
        "execution_id": execution.uid,
        "rule_id": execution.rule.uid if execution.rule else None,
        "name": execution.name,
        "status": str(execution.status),
        "source": execution.source,
        "started_at": clock.text(execution.started_at) if execution.started_at else None,
        "ended_at": clock.text(execution.ended_at) if execution.ended_at else None,
        "error_code": execution.error_code,
        "error_message": execution.error_message,
    }
