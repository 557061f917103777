"""A person's yes or no: asking, deciding, and what happens when nobody answers.
Called by `invocations`, runs and fixes; by the dashboard, the API and the admin for the answer."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from config.acts.models import Approval, Invocation
from config.kernel.desk import options, permissions
from config.kernel.flow import clock, events, jobs, transitions
from config.kernel.flow.errors import Conflict, NotFound
from config.kernel.models import AuditRecord
from config.kernel.watch import audit, notifications

Status = Approval.Status
PAGE = "/approvals"
OF_INVOCATION = "invocation:"


@transaction.atomic
def ask(
    subject: str,
    *,
    question: str,
    scope: str,
    detail: Mapping[str, Any] | None = None,
    asked_by: str = "system",
    expires_at: datetime | None = None,
) -> Approval:
    """Ask people. `subject` is what waits, as `invocation:inv_…`; without `expires_at` APPROVAL_HOURS hold.

    A question that is open already is not asked twice.
    """
    found = Approval.objects.filter(subject=subject, status=Status.PENDING).first()
    if found is not None:
        return found
    until = expires_at or clock.now() + timedelta(hours=options.get("APPROVAL_HOURS"))
    approval = Approval.objects.create(
        subject=subject,
        question=question[:300],
        scope=scope,
        detail=dict(detail or {}),
        asked_by=asked_by[:150],
        expires_at=until,
    )
    data = {"id": approval.uid, "waits": subject, "question": approval.question, "scope": scope, "asked_by": approval.asked_by}
    events.publish("approval.requested", subject=subject, data=data)
    end = f"{until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    notifications.notify(
        f"Waits for approval: {approval.question}",
        message=f"Asked by {approval.asked_by}. Without an answer it expires at {end}, and nothing is done.",
        urgency="high",
        link=f"{PAGE}/{approval.uid}",
        subject=f"approval:{approval.uid}",
    )
    return approval


@transaction.atomic
def decide(approval: Approval, *, user: Any, is_approved: bool, note: str = "") -> Approval:
    """The person's answer. Raises Forbidden without the permission that the question names, Conflict when it was answered already."""
    permissions.ensure(user, approval.scope)
    if approval.expires_at is not None and approval.expires_at <= clock.now():
        raise Conflict(
            f"The question {approval.uid} was open until {clock.text(approval.expires_at)}; no answer is a no. Have it asked again."
        )
    who = getattr(user, "user", user).get_username()
    if not _settle(approval, Status.APPROVED if is_approved else Status.REJECTED, decided_by=who, note=note):
        approval.refresh_from_db()
        raise Conflict(f"The question {approval.uid} is {approval.status} already, by {approval.decided_by or 'nobody'}.")
    return approval


def find(uid: str) -> Approval:
    """The approval. Raises NotFound."""
    found = Approval.objects.filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no approval {uid!r}.")
    return found


def withdraw(subject: str, *, reason: str) -> None:
    """What waited waits no more: its open question is closed as a no, without asking anybody."""
    for approval in Approval.objects.filter(subject=subject, status=Status.PENDING):
        with transaction.atomic():
            _settle(approval, Status.REJECTED, decided_by="", note=reason)


def waiting() -> QuerySet[Approval]:
    """Open questions, those first that end first."""
    return Approval.objects.filter(status=Status.PENDING).order_by("expires_at", "id")


def due(now: datetime) -> QuerySet[Approval]:
    """Questions that nobody answered in time."""
    return Approval.objects.filter(status=Status.PENDING, expires_at__lte=now)


def expire(now: datetime, limit: int) -> int:
    """Close what nobody answered; how many."""
    rows = list(due(now)[:limit])
    for approval in rows:
        with transaction.atomic():
            _settle(approval, Status.EXPIRED, decided_by="", note="Nobody answered in time.")
    return len(rows)


def _settle(approval: Approval, to: str, *, decided_by: str, note: str) -> bool:
    # First what waits, then its question: who cancels a call takes both in this order, and neither waits for the other.
    waits = Invocation.objects.select_for_update(of=("self",)).filter(uid=approval.subject.removeprefix(OF_INVOCATION)).first()
    if not transitions.move(approval, to=to, decided_by=decided_by[:150], decided_at=clock.now(), note=note):
        return False
    audit.record(f"approval.{to}", approval, kind=AuditRecord.Kind.ACTION_EXECUTION, waits=approval.subject, note=note)
    data = {"id": approval.uid, "waits": approval.subject, "question": approval.question, "scope": approval.scope, "status": str(to)}
    events.publish("approval.decided", subject=approval.subject, data={**data, "decided_by": decided_by, "note": note})
    if waits is not None and waits.status == Invocation.Status.AWAITING_APPROVAL:
        _release(waits, approval)
    return True


def _release(row: Invocation, approval: Approval) -> None:
    """Let the invocation go on, or end it with the reason."""
    if approval.status == Status.APPROVED:
        transitions.move(row, to=Invocation.Status.PENDING, due_at=clock.now())
        jobs.nudge("acts.invoke")
        return
    who = f"{approval.decided_by} said no" if approval.decided_by else approval.note or "nobody answered in time"
    why = f"{who}: {approval.note}" if approval.decided_by and approval.note else who
    transitions.move(
        row, to=Invocation.Status.REFUSED, ended_at=clock.now(), due_at=None, error_code=f"approval_{approval.status}", error_message=why
    )
    if row.follower:
        jobs.nudge(row.follower)
