"""The only way to have an action run: from a rule, a step, a fix, a command or the API.
A call is a row; the duty `acts.invoke` works it off. What becomes of it is read from the row, after a nudge of its `follower`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from config.acts.models import Invocation
from config.acts.plugins.actions import Action, actions
from config.acts.running import approvals, forms
from config.acts.running.gate import RUN, Ruling, gate
from config.kernel.desk import options, permissions
from config.kernel.flow import clock, context, jobs
from config.kernel.flow.errors import Conflict, Forbidden, InvalidInput, NotFound
from config.kernel.limits import backoff
from config.kernel.models import AuditRecord
from config.kernel.models.base import new_uids
from config.kernel.watch import audit
from config.kernel.wire import redact

Status = Invocation.Status
SYSTEM = "system"
DUTY = "acts.invoke"


@dataclass(frozen=True)
class Wanted:
    """One call of `call_many`; the fields are those of `call`.

    `is_begun`: it goes on with something that was started already, so the master switch does not stop it. `about`: what it is about,
    where that is not the context of whoever calls.
    """

    action: str
    params: Mapping[str, Any]
    owner: str
    caller: str
    key: str | None = None
    follower: str = ""
    priority: int = 1
    timeout_seconds: float | None = None
    retry: Mapping[str, Any] | None = None
    due_at: datetime | None = None
    is_automatic: bool = False
    is_begun: bool = False
    about: context.Context | None = None


def call(
    action_key: str,
    params: Mapping[str, Any],
    *,
    owner: str,
    caller: str,
    key: str | None = None,
    follower: str = "",
    priority: int = 1,
    timeout_seconds: float | None = None,
    retry: Mapping[str, Any] | None = None,
    due_at: datetime | None = None,
    is_automatic: bool = False,
) -> Invocation:
    """Ask for an action; the row, which is the first one's when `key` was used before.

    It runs with the rights of `owner` (a user name, or `system`), who must hold them now and when it starts.
    `retry`: fields of `backoff.Policy`, and `on`, a list of codes or `any`: which failures are tried again.
    `is_automatic`: nobody asked by hand, so the level decides whether it runs, asks or is refused.
    Raises NotFound, InvalidInput (with the parameter), Forbidden, or Conflict for a key of another action.
    """
    wanted = Wanted(action_key, params, owner, caller, key, follower, priority, timeout_seconds, retry, due_at, is_automatic)
    return call_many([wanted])[0]


@transaction.atomic
def call_many(wanted: Sequence[Wanted]) -> list[Invocation]:
    """As `call`, for many at once: all or none."""
    there = {row.key: row for row in Invocation.objects.filter(key__in={one.key for one in wanted if one.key})}
    uids = new_uids("inv_", len(wanted))
    rulings: dict[str, Ruling] = {}
    rows: list[Invocation] = []
    fresh: list[Invocation] = []
    for one, uid in zip(wanted, uids, strict=True):
        row = there.get(one.key) if one.key else None
        if row is None:
            row, rulings[uid] = _row(one, uid)
            fresh.append(row)
            if one.key:
                there[one.key] = row
        elif row.action != one.action:
            raise Conflict(f"The key {one.key!r} belongs to a call of {row.action}; use another one for {one.action}.")
        rows.append(row)
    if fresh and not _insert(fresh):
        return call_many(wanted)  # somebody was first with a key
    _after(fresh, rulings)
    return rows


def clean(action_key: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the action's form takes them. Raises NotFound, or InvalidInput that names the field."""
    return forms.clean(find_action(action_key).Parameters, params)


def find(uid: str) -> Invocation:
    """The invocation. Raises NotFound."""
    found = Invocation.objects.filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no invocation {uid!r}.")
    return found


def find_action(key: str) -> Action:
    """The action. Raises NotFound with the keys that there are."""
    found = actions.all().get(key)
    if found is None:
        raise NotFound(f"There is no action {key[:128]!r}; there are: {', '.join(sorted(actions.all()))}.")
    return found


@transaction.atomic
def cancel(row: Invocation, *, reason: str = "") -> bool:
    """End it, and the steps it waits for: at once what waits; what runs is stopped, and says so a moment later. False: it has ended."""
    # Held until the end: between the two looks the executor could otherwise move it from one state to the other.
    Invocation.objects.select_for_update(of=("self",)).filter(pk=row.pk).values_list("pk").first()
    now = clock.now()
    ended = {"ended_at": now, "due_at": None, "error_code": "cancelled", "error_message": reason}
    waits = (Status.PENDING, Status.AWAITING_APPROVAL, Status.WAITING)
    if Invocation.objects.filter(pk=row.pk, status__in=waits).update(status=Status.CANCELLED, **ended):
        row.status = Status.CANCELLED
        approvals.withdraw(f"invocation:{row.uid}", reason=reason or "It was cancelled.")
        if row.follower:
            jobs.nudge(row.follower)
    elif Invocation.objects.filter(pk=row.pk, status=Status.RUNNING).update(cancel_asked_at=now, error_message=reason):
        row.cancel_asked_at = now
        jobs.nudge(DUTY)
    else:
        return False
    audit.record("action.cancelled", row, kind=AuditRecord.Kind.ACTION_EXECUTION, action_key=row.action, reason=reason)
    cancel_steps(row.uid, reason=reason)
    return True


def cancel_steps(uid: str, *, reason: str) -> None:
    """End what the cancelled call `uid` has called itself and waits for: nobody would look at it any more."""
    for step in Invocation.objects.filter(caller=f"invocation:{uid}", status__in=Invocation.OPEN).order_by("id"):
        cancel(step, reason=reason or f"{uid}, which asked for it, was cancelled.")


@transaction.atomic
def undo(row: Invocation, *, owner: str, caller: str, follower: str = "") -> Invocation:
    """Take back what a completed call did: another invocation, at most one. Raises Conflict, Forbidden."""
    action = find_action(row.action)
    row.refresh_from_db()
    if not action.can_undo:
        raise Conflict(f"{row.action} cannot be undone: it offers no way back.")
    if row.undoes_id is not None:
        raise Conflict(f"{row.uid} took something back itself; call {row.action} again to have it done anew.")
    if (there := Invocation.objects.filter(undoes=row).first()) is not None:
        raise Conflict(f"{row.uid} is being undone, or was, by {there.uid}; an undo happens at most once.")
    if row.status != Status.COMPLETED:
        raise Conflict(f"{row.uid} is {row.status}; only what is completed can be undone.")
    ensure_may(owner, action)
    fresh = _fresh(Wanted(row.action, row.params or {}, owner, caller, f"undo:{row.uid}", follower), action, row.params or {})
    fresh.undoes, fresh.summary = row, f"Undo: {row.summary}"[:300]
    if not _insert([fresh]):
        raise Conflict(f"{row.uid} is being undone already.")
    _after([fresh], {fresh.uid: RUN})
    return fresh


def masked(row: Invocation) -> dict[str, Any]:
    """The parameters as they may be shown, URLs without what is secret in them; all hidden when the action is not installed any more."""
    action = actions.all().get(row.action)
    shown = forms.masked(action.Parameters if action else None, row.params or {})
    return {name: redact.url(value) if str(value).lower().startswith(("http://", "https://")) else value for name, value in shown.items()}


def lacks(owner: str, action: Action) -> str:
    """The permission that `owner` lacks to run it now; empty when none. `system` has all; a user who is gone or deactivated has none."""
    user = User.objects.filter(username=owner).first() if owner != SYSTEM else None
    return next((scope for scope in scopes_of(action) if owner != SYSTEM and not (user and permissions.may(user, scope))), "")


def ensure_may(owner: str, action: Action) -> None:
    """Raises Forbidden unless `owner` may run it now."""
    if scope := lacks(owner, action):
        raise Forbidden(f"{owner!r} may not run this: it needs the permission {scope!r} and an active user.", code="owner_may_not")


def ensure_asked_by(who: Any, action: Action) -> None:
    """Raises Forbidden unless a user, or the user and the token of a request, may have it run. Called by doors."""
    for scope in scopes_of(action):
        permissions.ensure(who, scope)


def scopes_of(action: Action) -> Sequence[str]:
    """All permissions that running it needs."""
    return (scope_of(action), *action.needs)


def scope_of(action: Action) -> str:
    """The permission of its class; approving it needs this one."""
    return f"actions:execute_{action.permission}"


def policy(retry: Mapping[str, Any] | None) -> backoff.Policy:
    """The retry policy of a row; without one ACTION_RETRIES further attempts, the first after two seconds."""
    if retry is None:
        return backoff.Policy(base_seconds=2, max_attempts=1 + options.get("ACTION_RETRIES"), max_delay_seconds=3600, jitter=0.1)
    return backoff.Policy(**{name: value for name, value in retry.items() if name != "on"})


def _row(one: Wanted, uid: str) -> tuple[Invocation, Ruling]:
    action = find_action(one.action)
    cleaned = forms.clean(action.Parameters, one.params)
    ensure_may(one.owner, action)
    row = _fresh(one, action, cleaned, uid)
    ruling = RUN
    if one.is_automatic:
        ruling = gate(options.get("AUTOMATION_LEVEL"), action.permission, is_running=one.is_begun or options.get("AUTOMATION_RUNNING"))
    if ruling.answer == "refuse":
        row.status, row.error_code, row.error_message, row.ended_at = Status.REFUSED, "level", ruling.reason, row.created_at
        row.due_at = None
    elif ruling.answer == "ask":
        row.status, row.due_at = Status.AWAITING_APPROVAL, None
    return row, ruling


def _fresh(one: Wanted, action: Action, cleaned: dict[str, Any], uid: str = "") -> Invocation:
    now, here = clock.now(), one.about or context.current()
    timeout = one.timeout_seconds or action.timeout_seconds or options.get("ACTION_TIMEOUT")
    if not 0 < timeout < math.inf:  # which is no number is refused, too: no database keeps it
        raise InvalidInput("The time-out must be more than 0 seconds.", fields={"timeout_seconds": ["It must be more than 0."]})
    _check_retry(one.retry)
    shown = forms.masked(action.Parameters, cleaned)
    return Invocation(
        uid=uid or new_uids("inv_", 1)[0],
        created_at=now,
        action=one.action,
        params=cleaned,  # type: ignore[misc]
        summary=redact.text(action.summary(shown) or action.title)[:300],
        owner=one.owner,
        caller=one.caller[:160],
        follower=one.follower,
        key=one.key,
        priority=one.priority,
        target=action.target(cleaned)[:140],
        retry=dict(one.retry) if one.retry is not None else None,
        due_at=one.due_at or now,
        timeout_seconds=float(timeout),
        correlation_id=here.correlation_id,
        cause_uid=here.cause_uid,
        hops=here.hops,
    )


def _check_retry(retry: Mapping[str, Any] | None) -> None:
    if retry is None:
        return
    try:
        backoff.delay_seconds(policy(retry), 1)
        backoff.delay_seconds(policy(retry), 2)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The retry policy cannot be used: {error}.", fields={"retry": [str(error)]}) from None


def _insert(rows: Sequence[Invocation]) -> bool:
    try:
        with transaction.atomic():
            if len(rows) == 1:
                rows[0].save(force_insert=True)
            else:
                Invocation.objects.bulk_create(rows)
    except IntegrityError:
        return False
    return True


def _after(rows: Sequence[Invocation], rulings: Mapping[str, Ruling]) -> None:
    """The record, the questions, and the nudges."""
    here = context.current()
    AuditRecord.objects.bulk_create(
        AuditRecord(
            kind=AuditRecord.Kind.ACTION_EXECUTION,
            action="action.called",
            actor=here.actor,
            ip=here.ip,
            subject=audit.subject_of(row),
            detail={"action": row.action, "summary": row.summary, "owner": row.owner, "caller": row.caller, "status": str(row.status)},
            correlation_id=row.correlation_id,
        )
        for row in rows
    )
    for row in rows:
        if row.status == Status.AWAITING_APPROVAL:
            _ask(row, rulings[row.uid])
    if any(row.status == Status.PENDING for row in rows):
        jobs.nudge(DUTY)
    for follower in {row.follower for row in rows if row.follower and row.status == Status.REFUSED}:
        jobs.nudge(follower)


def _ask(row: Invocation, ruling: Ruling) -> None:
    detail = {"action": row.action, "params": masked(row), "owner": row.owner, "reason": ruling.reason}
    scope = scope_of(find_action(row.action))
    approvals.ask(f"invocation:{row.uid}", question=row.summary or row.action, scope=scope, detail=detail, asked_by=row.caller or row.owner)
