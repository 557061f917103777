"""Writes down what came of attempts, a batch at a time. Whoever lost its lease meanwhile writes nothing. Called by `loop` only."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from config.acts.executor import judging
from config.acts.executor.judging import End
from config.acts.executor.results import Job, Result
from config.acts.models import Invocation, tables
from config.acts.plugins.actions import actions
from config.acts.running import forms, invocations, slots
from config.acts.texts import storable
from config.kernel.flow import clock, jobs, leases
from config.kernel.limits import backoff
from config.kernel.watch import metrics
from config.kernel.wire import redact

Status = Invocation.Status
ONE_TRY = backoff.Policy(max_attempts=1)
LOG_CHARACTERS = 64 * 1024
COLUMNS = {
    "id": "bigint",
    "status": "varchar",
    "due_at": "timestamptz",
    "ended_at": "timestamptz",
    "run_seconds": "double precision",
    "output": "jsonb",
    "state": "jsonb",
    "log": "text",
    "error_code": "varchar",
    "error_message": "text",
}


def record(ended: Sequence[tuple[Job, Result]], *, token: str) -> list[End]:
    """Write the ends, give back slots and targets, nudge who waits for them; those that were still ours."""
    now = clock.now()
    ends = [_judged(job, result, now) for job, result in ended if result.kind != "lost"]
    with transaction.atomic():
        ends = _heeded(ends)
        ours = _write(ends, now, token)
        written = [end for end in ends if end.job.pk in ours]
        _mark_undone([end.job.undoes_pk for end in written if end.status == Status.COMPLETED and end.job.is_undo])
        for end in written:
            if end.status == Status.CANCELLED:  # steps that it called after somebody wanted it stopped
                invocations.cancel_steps(end.job.uid, reason=end.error_message)
        slots.release([job.slot for job, _ in ended])
        for follower in {end.job.follower for end in written if end.has_ended and end.job.follower}:
            jobs.nudge(follower)
    for job, _ in ended:
        if job.target_lease is not None:
            leases.release(job.target_lease)
    _measure(written)
    return written


def _judged(job: Job, result: Result, now: datetime) -> End:
    action = actions.all().get(job.action)
    effect = action.effect if action else "once"
    if action and job.params:
        told = {"message": result.message, "log": result.log, "output": result.output}  # an undo is told the parameters anyway
        result = replace(result, **forms.without_secrets(action.Parameters, job.params, told))
    policy = ONE_TRY if result.kind in ("done", "waiting") else invocations.policy(job.retry)
    chance = random.random()  # noqa: S311 - spreads tries, hides nothing
    return judging.judge(job, result, effect=effect, policy=policy, now=now, chance=chance)


def _values(end: End, now: datetime) -> dict[str, Any]:
    return {
        "id": end.job.pk,
        "status": str(end.status),
        "due_at": end.due_at,
        "ended_at": now if end.has_ended else None,
        "run_seconds": end.job.run_seconds + end.result.seconds,
        "output": end.output,
        "state": end.state,
        "log": storable.text(redact.text(end.result.log[-LOG_CHARACTERS:])) if end.result.log else "",
        "error_code": end.error_code,
        "error_message": storable.text(end.error_message),
    }


def _write(ends: Sequence[End], now: datetime, token: str) -> set[int]:
    """The keys of the rows that were ours and are written now."""
    rows = [_values(end, now) for end in ends]
    if not rows:
        return set()
    given, values = tables.table(COLUMNS, rows)
    changes = ", ".join(f"{name} = v.{name}" for name in COLUMNS if name != "id")
    statement = (
        f"UPDATE acts_invocation SET {changes}, lease_token = '', lease_until = NULL FROM {given} "  # noqa: S608 - the names are our own
        "WHERE acts_invocation.id = v.id AND acts_invocation.lease_token = %s AND acts_invocation.status = 'running' "
        "RETURNING acts_invocation.id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, token])
        return {pk for (pk,) in cursor.fetchall()}


def _heeded(ends: Sequence[End]) -> list[End]:
    """What would go on although somebody wanted it stopped meanwhile ends here: a wish is not lost between two attempts."""
    open_keys = [end.job.pk for end in ends if not end.has_ended]
    if not open_keys:
        return list(ends)
    wishes = Invocation.objects.select_for_update(of=("self",)).filter(pk__in=open_keys, cancel_asked_at__isnull=False)
    why = dict(wishes.values_list("pk", "error_message"))
    return [judging.cancelled(end, why[end.job.pk]) if end.job.pk in why else end for end in ends]


def _mark_undone(found: Sequence[int | None]) -> None:
    if keys := [key for key in found if key is not None]:
        Invocation.objects.filter(pk__in=keys, status=Status.COMPLETED).update(status=Status.UNDONE)


def _measure(ends: Sequence[End]) -> None:
    counts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for end in ends:
        outcome = "retry" if end.status == Status.PENDING else str(end.status)
        counts[end.job.action, outcome].append(end.result.seconds)
    for (action, outcome), seconds in counts.items():
        metrics.count("actions_total", len(seconds), action=action, outcome=outcome)
        metrics.observe_many("action_seconds", seconds, action=action)
