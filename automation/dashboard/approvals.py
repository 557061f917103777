"""What waits for a person's yes: the list, one question, and the answer."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from automation.dashboard.rules import SEE
from config.acts.models import Approval, Invocation
from config.acts.running import approvals
from config.kernel.desk import permissions
from config.kernel.plugins.contracts import Page
from config.kernel.plugins.contracts import pages as navigation
from config.look import pages

navigation.register("automation.approvals", Page("Approvals", "/approvals", "Automation", 330, SEE))

EXPORTED = {
    "id": lambda one: one.uid,
    "question": lambda one: one.question,
    "waits": lambda one: one.subject,
    "asked_by": lambda one: one.asked_by,
    "status": lambda one: one.status,
    "decided_by": lambda one: one.decided_by,
    "decided_at": lambda one: one.decided_at,
    "note": lambda one: one.note,
    "created_at": lambda one: one.created_at,
    "expires_at": lambda one: one.expires_at,
}


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/approvals`"""
    rows = Approval.objects.order_by("-id")
    if status := request.GET.get("status", ""):
        rows = rows.filter(status=status)
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    file = pages.export(request, rows, EXPORTED, name="approvals")
    if file is not None:
        return file
    shown = {
        "page": pages.listed(request, rows),
        "statuses": Approval.Status.choices,
        "is_filtered": any(request.GET.get(name) for name in ("status", "since")),
    }
    return pages.draw(request, "automation/approvals.html", shown)


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/approvals/<uid>`"""
    approval = approvals.find(uid)
    shown = {
        "approval": approval,
        "execution": execution_of(approval),
        "may_answer": approval.status == Approval.Status.PENDING and permissions.may(request.user, approval.scope),
    }
    return pages.draw(request, "automation/approval.html", shown)


@pages.deed(SEE)
def answer(request: HttpRequest, uid: str) -> HttpResponse:
    """`/approvals/<uid>/answer` with `answer=yes` or `no`, and a note."""
    is_approved = request.POST.get("answer") == "yes"
    note = request.POST.get("note", "").strip()[:1000]
    approvals.decide(approvals.find(uid), user=request.user, is_approved=is_approved, note=note)
    said = "Approved: it goes on." if is_approved else "Rejected: it does not happen."
    return pages.done(request, said, to="" if request.POST.get("next") else reverse("automation:approval", args=[uid]))


def execution_of(approval: Approval) -> str:
    """The id of the execution whose call waits; empty for anything else."""
    kind, _, uid = approval.subject.partition(":")
    call = Invocation.objects.filter(uid=uid).only("caller").first() if kind == "invocation" else None
    return call.caller.removeprefix("execution:") if call and call.caller.startswith("execution:") else ""
