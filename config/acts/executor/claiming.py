"""Makes due invocations this process's own: the rows and a slot for each, in one transaction. Called by `loop` and by the duty's count."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import Case, F, IntegerField, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Coalesce

from config.acts.executor.results import Job
from config.acts.models import Invocation, Slot
from config.acts.plugins.actions import actions
from config.acts.running import invocations, slots
from config.kernel.desk import options
from config.kernel.flow import clock, jobs, leases
from config.kernel.flow.errors import PermanentError
from config.kernel.limits import backoff
from config.kernel.wire import crypto

Status = Invocation.Status
POOL = "actions"
LEASE_SECONDS = slots.LEASE_SECONDS


@dataclass(frozen=True)
class Claim:
    """What was claimed, and whether more is due that there was no slot for."""

    jobs: Sequence[Job]
    is_held_up: bool = False


def due(now: datetime) -> QuerySet[Invocation]:
    """What may start, or go on."""
    return Invocation.objects.filter(status__in=(Status.PENDING, Status.WAITING), due_at__lte=now)


def run_out(now: datetime) -> QuerySet[Invocation]:
    """What was left behind by a process that is gone."""
    return Invocation.objects.filter(status=Status.RUNNING, lease_until__lt=now)


def next_due_at(now: datetime, *, within_seconds: float) -> datetime | None:
    """When the first thing that is not due yet will be, if that is soon."""
    rows = Invocation.objects.filter(status__in=(Status.PENDING, Status.WAITING), due_at__lte=now + timedelta(seconds=within_seconds))
    return rows.order_by("due_at").values_list("due_at", flat=True).first()


def claim(token: str, *, inline_room: int, child_room: int) -> Claim:
    """Own as many due rows as there is room and slots for, the most urgent and oldest first."""
    inline = [key for key, action in actions.all().items() if action.runs == "inline"]
    rows = due(clock.now())
    if inline_room <= 0:
        rows = rows.exclude(action__in=inline)
    if child_room <= 0:
        rows = rows.filter(action__in=inline)
    with transaction.atomic():
        found = _fitting(_locked(rows, inline_room + child_room), inline, inline_room, child_room)
        if not found:
            return Claim(())
        held_for = [f"invocation:{row.uid}" for row in found]
        granted = slots.take(POOL, options.get("ACTION_MAX_CONCURRENT"), len(found), held_for=held_for, seconds=LEASE_SECONDS)
        taken = found[: len(granted)]
        _own(taken, token)
    return Claim([_job(row, slot) for row, slot in zip(taken, granted, strict=True)], is_held_up=len(taken) < len(found))


def take_back(limit: int = 100, *, but: Collection[int] = ()) -> int:
    """Rows whose process is gone: due again where a repeat cannot do harm, otherwise over, outcome unknown; how many."""
    now = clock.now()
    with transaction.atomic():
        left = run_out(now).exclude(pk__in=but).only("pk", "action", "attempts", "retry", "follower", "cancel_asked_at")
        rows = list(_skip_locked(left).order_by("id")[:limit])
        known = actions.all()
        for row in rows:
            effect = known[row.action].effect if row.action in known else "once"
            _let_go(row, effect, now)
    return len(rows)


def _let_go(row: Invocation, effect: str, now: datetime) -> None:
    changes: dict[str, Any] = {"lease_token": "", "lease_until": None}
    delay = backoff.delay_seconds(invocations.policy(row.retry), row.attempts)
    if row.cancel_asked_at is not None:
        changes |= {"status": Status.CANCELLED, "ended_at": now, "due_at": None, "error_code": "cancelled"}
    elif effect == "once" or delay is None:
        message = "The process that ran it is gone, and nobody knows how far it came. Look at what it works on, then decide."
        changes |= {"status": Status.FAILED, "ended_at": now, "due_at": None, "error_code": "outcome_unknown", "error_message": message}
    else:
        changes |= {"status": Status.PENDING, "due_at": now}
    Invocation.objects.filter(pk=row.pk).update(**changes)
    if row.follower and changes["status"] != Status.PENDING:
        jobs.nudge(row.follower)


def _skip_locked(rows: QuerySet[Invocation]) -> QuerySet[Invocation]:
    if connection.features.has_select_for_update_skip_locked:
        return rows.select_for_update(skip_locked=True, of=("self",))
    return rows


def _locked(rows: QuerySet[Invocation], limit: int) -> list[Any]:
    """Parameters as they are stored: a row whose key is lost must not stop the others."""
    sealed = rows.defer("params", "output", "log").annotate(sealed=Cast("params", TextField()), undone=F("undoes__output"))
    return list(_skip_locked(sealed).order_by("-priority", "id")[:limit])


def _fitting(rows: Sequence[Any], inline: Collection[str], inline_room: int, child_room: int) -> list[Any]:
    rooms = {True: inline_room, False: child_room}
    found = []
    for row in rows:
        is_inline = row.action in inline
        if rooms[is_inline] > 0:
            rooms[is_inline] -= 1
            found.append(row)
    return found


def _own(rows: Sequence[Any], token: str) -> None:
    if not rows:
        return
    now = clock.now()  # after the slot was granted: who reads the times finds no more at once than the limit
    counted = Case(When(status=Status.WAITING, then=Value(0)), default=Value(1), output_field=IntegerField())
    Invocation.objects.filter(pk__in=[row.pk for row in rows]).update(
        attempts=F("attempts") + counted,
        status=Status.RUNNING,
        started_at=Coalesce(F("started_at"), Value(now)),
        lease_token=token,
        lease_until=now + timedelta(seconds=LEASE_SECONDS),
        holder=leases.me(),
        cancel_asked_at=None,
        error_code="",
        error_message="",
    )


def _job(row: Any, slot: Slot) -> Job:
    return Job(
        pk=row.pk,
        uid=row.uid,
        action=row.action,
        params=_opened(row.sealed),
        owner=row.owner,
        caller=row.caller,
        follower=row.follower,
        key=row.key or row.uid,
        attempt=row.attempts + (row.status != Status.WAITING),
        state=row.state or {},
        output=row.undone or {},
        undoes_pk=row.undoes_id,
        retry=row.retry,
        target=row.target,
        timeout_seconds=row.timeout_seconds,
        run_seconds=row.run_seconds,
        correlation_id=row.correlation_id,
        cause_uid=row.cause_uid,
        hops=row.hops,
        due_at=row.due_at,
        slot=slot,
    )


def _opened(sealed: str | None) -> dict[str, Any] | None:
    """The parameters; None when no key fits."""
    try:
        return dict(orjson.loads(crypto.decrypt(sealed))) if sealed else {}
    except PermanentError:
        return None
