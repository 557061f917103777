"""The pages of actions: what waits for a yes, and every call with what became of it."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from config.acts.models import Approval, Invocation
from config.acts.plugins.actions import actions
from config.acts.running import approvals, invocations, slots
from config.dashboard.acting_api import RUN, SEE, ensure_may_touch
from config.kernel.desk import options, permissions
from config.kernel.plugins.contracts import Found, Page, Panel, finders, panels
from config.kernel.plugins.contracts import pages as navigation
from config.kernel.wire import redact
from config.look import pages

GROUP = "Automation"
PANEL_ROWS = 5
CALLS_EXPORTED = {
    "id": lambda row: row.uid,
    "action": lambda row: row.action,
    "summary": lambda row: row.summary,
    "status": lambda row: row.status,
    "owner": lambda row: row.owner,
    "caller": lambda row: row.caller,
    "attempts": lambda row: row.attempts,
    "created_at": lambda row: row.created_at,
    "started_at": lambda row: row.started_at,
    "ended_at": lambda row: row.ended_at,
    "run_seconds": lambda row: row.run_seconds,
    "error_code": lambda row: row.error_code,
    "error": lambda row: row.error_message,
}
APPROVALS_EXPORTED = {
    "id": lambda row: row.uid,
    "question": lambda row: row.question,
    "waits": lambda row: row.subject,
    "scope": lambda row: row.scope,
    "status": lambda row: row.status,
    "asked_by": lambda row: row.asked_by,
    "asked_at": lambda row: row.created_at,
    "expires_at": lambda row: row.expires_at,
    "decided_by": lambda row: row.decided_by,
    "decided_at": lambda row: row.decided_at,
    "note": lambda row: row.note,
}

navigation.register("roof.approvals", Page("Approvals", "/approvals", GROUP, 480, SEE))
navigation.register("roof.calls", Page("Actions", "/calls", GROUP, 490, SEE))


@finders.plugin("roof.call")
def find_call(asked: str) -> Found | None:
    """A call by its id."""
    row = Invocation.objects.filter(uid=asked).only("uid", "action").first()
    return Found(f"Call of {row.action}", reverse("dashboard:call", args=[row.uid])) if row else None


@finders.plugin("roof.approval")
def find_approval(asked: str) -> Found | None:
    """A question by its id."""
    row = Approval.objects.filter(uid=asked).first()
    return Found(f"Approval: {row.question}", reverse("dashboard:approval", args=[row.uid])) if row else None


@pages.page(SEE)
def approval_list(request: HttpRequest) -> HttpResponseBase:
    """`/approvals`: what waits, then what was answered."""
    state = request.GET.get("state", "pending")
    rows = approvals.waiting() if state == "pending" else Approval.objects.exclude(status=Approval.Status.PENDING)
    file = pages.export(request, rows, APPROVALS_EXPORTED, name="approvals")
    if file is not None:
        return file
    shown = {"page": pages.listed(request, rows), "state": state, "open": approvals.waiting().count()}
    return pages.draw(request, "dashboard/approvals.html", shown)


@pages.page(SEE)
def approval_detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/approvals/<uid>`"""
    row: Approval = pages.one(Approval, uid, what="approval")
    call = Invocation.objects.filter(uid=row.subject.partition(":")[2]).only("uid", "action", "status").first()
    shown = {"approval": row, "call": call, "may_answer": permissions.may(request.user, row.scope)}
    return pages.draw(request, "dashboard/approval.html", shown)


@pages.deed(SEE)
def approve(request: HttpRequest, uid: str) -> HttpResponse:
    """`/approvals/<uid>/approve`"""
    return _answer(request, uid, True)


@pages.deed(SEE)
def reject(request: HttpRequest, uid: str) -> HttpResponse:
    """`/approvals/<uid>/reject`"""
    return _answer(request, uid, False)


def _answer(request: HttpRequest, uid: str, is_approved: bool) -> HttpResponse:
    row: Approval = pages.one(Approval, uid, what="approval")
    approvals.decide(row, user=request.user, is_approved=is_approved, note=request.POST.get("note", "").strip()[:2000])
    return pages.done(request, f"{'Approved' if is_approved else 'Rejected'}: {row.question}", to=reverse("dashboard:approvals"))


@pages.page(SEE)
def call_list(request: HttpRequest) -> HttpResponseBase:
    """`/calls`"""
    rows = Invocation.objects.defer("params", "output", "log", "state")
    asked = {name: request.GET.get(name, "").strip()[:200] for name in ("action", "status", "caller")}
    if asked["action"]:
        rows = rows.filter(action=asked["action"])
    if asked["status"]:
        rows = rows.filter(status=asked["status"])
    if asked["caller"]:
        rows = rows.filter(caller__startswith=asked["caller"])
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    shown = {
        "actions": [(key, key) for key in sorted(actions.all())],
        "statuses": Invocation.Status.choices,
        "held": len(slots.holders("actions")),
        "limit": options.get("ACTION_MAX_CONCURRENT"),
    }
    return pages.list_page(request, "dashboard/calls.html", rows, CALLS_EXPORTED, shown, filters=(*asked, "since"))


@pages.page(SEE)
def call_detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/calls/<uid>`"""
    row: Invocation = pages.one(Invocation.objects.select_related("undoes"), uid, what="call")
    action = actions.all().get(row.action)
    may = permissions.may(request.user, invocations.scope_of(action) if action else permissions.ALL)
    undo = Invocation.objects.filter(undoes=row).only("uid", "status").first()
    shown = {
        "call": row,
        "action": action,
        "params": invocations.masked(row),
        "output": redact.data(row.output),
        "undo": undo,
        "question": Approval.objects.filter(subject=f"invocation:{row.uid}").first(),
        "may_cancel": may and row.status in Invocation.OPEN and row.cancel_asked_at is None,
        "may_undo": may
        and row.status == Invocation.Status.COMPLETED
        and not row.undoes_id
        and not undo
        and action is not None
        and action.can_undo,
        "is_open": row.status in Invocation.OPEN,
    }
    return pages.draw(request, "dashboard/call.html", shown)


@pages.deed(RUN, question="Cancel {uid}?", detail="What it has done so far stays done.", yes="Cancel the call")
def call_cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """`/calls/<uid>/cancel`"""
    row: Invocation = pages.one(Invocation, uid, what="call")
    ensure_may_touch(request.user, row)
    page = reverse("dashboard:call", args=[uid])
    if invocations.cancel(row, reason=f"by {request.user.get_username()}"):
        return pages.done(request, "It is cancelled, or will be as soon as its process is stopped.", to=page)
    return pages.nothing(request, f"The call is {row.status}, so there is nothing left to cancel.", to=page)


@pages.deed(RUN, question="Undo {uid}?", detail="Another call takes back what it did; that is tried once.", yes="Undo it")
def call_undo(request: HttpRequest, uid: str) -> HttpResponse:
    """`/calls/<uid>/undo`"""
    row: Invocation = pages.one(Invocation, uid, what="call")
    made = invocations.undo(row, owner=request.user.get_username(), caller="dashboard")
    return pages.done(request, f"{row.summary or row.action} is being taken back.", to=reverse("dashboard:call", args=[made.uid]))


def _panel(request: HttpRequest) -> Mapping[str, Any]:
    rows = list(approvals.waiting()[: PANEL_ROWS + 1])
    return {"rows": rows[:PANEL_ROWS], "more": approvals.waiting().count() - PANEL_ROWS if len(rows) > PANEL_ROWS else 0}


panels.register("roof.approvals", Panel("Waiting for approval", "dashboard/_panel_approvals.html", _panel, order=5, scope=SEE))
