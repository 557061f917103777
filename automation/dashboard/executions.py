"""The pages of executions: the list, one with its calls from beginning to end, and what is done to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from automation.dashboard.rules import RUN, SEE
from automation.enums import OPEN, ExecutionStatus
from automation.models import Execution
from automation.services import executions
from automation.services.judging import wording
from config.acts.models import Approval, Invocation
from config.acts.plugins.actions import actions
from config.acts.running import approvals, invocations
from config.kernel.desk import permissions
from config.kernel.models import Event
from config.kernel.plugins.contracts import Page
from config.kernel.plugins.contracts import pages as navigation
from config.look import pages

navigation.register("automation.executions", Page("Executions", "/executions", "Automation", 320, SEE))

# Words of our triggers, and of those who start executions otherwise.
SOURCES = ("schedule", "event", "threshold", "queue", "user_activity", "absence", "sequence", "manual", "health_check", "alert")
CAUSED_SHOWN = 30
HEAVY = ("actions", "facts", "parts")
EXPORTED = {
    "id": lambda one: one.uid,
    "rule": lambda one: one.rule.uid if one.rule else "",
    "name": lambda one: one.name,
    "source": lambda one: one.source,
    "status": lambda one: one.status,
    "is_shadow": lambda one: one.is_shadow,
    "reason": lambda one: one.reason,
    "reason_text": lambda one: one.reason_text,
    "event": lambda one: one.event.uid if one.event else "",
    "actor": lambda one: one.actor,
    "created_at": lambda one: one.created_at,
    "started_at": lambda one: one.started_at,
    "ended_at": lambda one: one.ended_at,
    "seconds": lambda one: one.seconds,
    "error_code": lambda one: one.error_code,
    "error_message": lambda one: one.error_message,
}


@dataclass(frozen=True)
class Step:
    """One action of an execution: its call, once there is one; the question that it waits for; what may be taken back."""

    number: int
    action: str
    text: str
    call: Invocation | None = None
    params: Any = None
    approval: Approval | None = None
    can_undo: bool = False
    undone_by: Invocation | None = None


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/executions`"""
    rows = filtered(request)
    shown = {
        "statuses": [*ExecutionStatus.choices, ("open", "open")],
        "sources": [(source, source.replace("_", " ")) for source in SOURCES],
        "waiting": _waiting(),
    }
    return pages.list_page(
        request, "automation/executions.html", rows, EXPORTED, shown, filters=("status", "source", "rule", "shadow", "since", "until", "q")
    )


def filtered(request: HttpRequest) -> "QuerySet[Execution]":
    """As `?status= source= rule= shadow= since= until= q=` ask."""
    rows: QuerySet[Execution] = (
        Execution.objects.select_related("rule", "event").defer(*HEAVY, "rule__actions", "event__body").order_by("-id")
    )
    given = {name: request.GET.get(name, "").strip()[:200] for name in ("status", "source", "rule", "shadow", "q")}
    if given["status"]:
        rows = rows.filter(status__in=OPEN) if given["status"] == "open" else rows.filter(status=given["status"])
    if given["source"]:
        rows = rows.filter(source=given["source"])
    if given["rule"]:
        rows = rows.filter(Q(rule__uid=given["rule"]) | Q(name__icontains=given["rule"]))
    if given["shadow"] in ("yes", "no"):
        rows = rows.filter(is_shadow=given["shadow"] == "yes")
    if given["q"]:
        rows = rows.filter(Q(uid=given["q"]) | Q(error_code=given["q"]) | Q(subject=given["q"]) | Q(event__uid=given["q"]))
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    if until := pages.since(request, "until"):
        rows = rows.filter(created_at__lt=until)
    return rows


def _waiting() -> list[Approval]:
    """The newest questions that nobody has answered yet."""
    return list(approvals.waiting()[:5])


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/executions/<uid>`"""
    execution = executions.find(uid)
    found = steps(execution)
    caused = _caused(execution, found)
    shown = {
        "execution": execution,
        "steps": found,
        "caused": caused,
        "follow_up": _follow_up(caused),
        "is_open": execution.status in OPEN,
        "may_run": permissions.may(request.user, RUN),
        "answerable": [step.approval for step in found if step.approval and permissions.may(request.user, step.approval.scope)],
    }
    return pages.draw(request, "automation/execution.html", shown)


def steps(execution: Execution) -> list[Step]:
    """Its actions with what became of each; those not reached yet have no call."""
    calls = [call for call in executions.invocations_of(execution) if call.undoes_id is None]
    undone = {row.undoes_id: row for row in Invocation.objects.filter(undoes__in=calls)}
    open_questions = approvals.waiting().filter(subject__in=[f"invocation:{call.uid}" for call in calls])
    questions = {one.subject.removeprefix("invocation:"): one for one in open_questions}
    found = []
    for index, step in enumerate(execution.actions or []):
        call = calls[index] if index < len(calls) else None
        if call is None:
            found.append(Step(index + 1, step["action"], wording.step(step)))
            continue
        action = actions.all().get(call.action)
        can_undo = bool(action and action.can_undo and call.status == "completed" and call.pk not in undone)
        text, params = call.summary or call.action, invocations.masked(call)
        found.append(Step(index + 1, call.action, text, call, params, questions.get(call.uid), can_undo, undone.get(call.pk)))
    return found


def _caused(execution: Execution, found: Sequence[Step]) -> Sequence[Event]:
    """Events that came of it: of its own end, and those that its actions published."""
    sources = [f"action:{step.call.uid}" for step in found if step.call]
    rows = Event.objects.filter(Q(subject=f"execution:{execution.uid}") | Q(source__in=sources))
    return list(rows.defer("body").order_by("id")[:CAUSED_SHOWN])


def _follow_up(caused: Sequence[Event]) -> Sequence[Execution]:
    """Executions of the events that it caused."""
    rows = Execution.objects.filter(event__in=[event.pk for event in caused])
    return list(rows.defer(*HEAVY).order_by("id")[:CAUSED_SHOWN])


@pages.deed(RUN, question="Cancel the execution {uid}?", detail="What has not begun never does; what runs is stopped.", yes="Cancel it")
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """`/executions/<uid>/cancel`"""
    execution = executions.find(uid)
    if executions.cancel(execution, reason=f"Cancelled by {request.user.get_username()}."):
        return pages.done(request, "The execution is cancelled.", to=_page(uid))
    return pages.nothing(request, "The execution had ended already.", to=_page(uid))


@pages.deed(RUN, question="Undo {call}?", detail="What this call did is taken back, as its action says how.", yes="Undo")
def undo(request: HttpRequest, uid: str, call: str) -> HttpResponse:
    """`/executions/<uid>/undo/<call>`"""
    execution = executions.find(uid)
    row = pages.one(executions.invocations_of(execution), call, what="call of this execution")
    invocations.undo(row, owner=request.user.get_username(), caller=f"execution:{uid}")
    return pages.done(request, "It is being undone.", to=_page(uid))


def _page(uid: str) -> str:
    return reverse("automation:execution", args=[uid])
