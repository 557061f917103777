"""What rules have to tell of an event: which were judged and how, and what their executions did."""

from collections.abc import Iterator, Mapping, Sequence

from django.urls import reverse

from automation.enums import ENDED_BADLY, OPEN, ExecutionStatus, Reason, Result
from automation.models import Execution, Verdict
from automation.services import executions
from config.acts.models import Invocation
from config.kernel.models import Event
from config.kernel.plugins.contracts import Moment, storytellers

TOLD = 100
SAID = {
    Result.FIRED: "fired",
    Result.SHADOW: "would have fired (it is in shadow)",
    Result.HELD: "was held",
    Result.REFUSED: "was refused",
    Result.NOT_MET: "did not fire",
    Result.UNKNOWN: "did not fire",
}
TONES = {Result.FIRED: "ok", Result.SHADOW: "info", Result.HELD: "held", Result.REFUSED: "bad"}
ENDS = {ExecutionStatus.COMPLETED: "ok", ExecutionStatus.CANCELLED: "held", ExecutionStatus.SKIPPED: "held"}
HEAVY = ("actions", "facts", "parts", "rule__actions")


@storytellers.plugin("automation.rules")
def tell(event: Event) -> Sequence[Moment]:
    """In no order; who asks sorts them by time. A verdict that said the same of several events is found by the latest of them."""
    woken = list(Execution.objects.filter(event=event).select_related("rule").defer(*HEAVY).order_by("id")[:TOLD])
    calls = executions.calls_of([one for one in woken if one.started_at])
    named = {one.pk for one in woken}
    judged = Verdict.objects.filter(event_uid=event.uid).select_related("rule").defer("rule__actions").order_by("id")
    rest = [one for one in judged[:TOLD] if one.execution_id not in named]
    return [*(_verdict(one) for one in rest), *(moment for one in woken for moment in _execution(one, calls))]


def _verdict(verdict: Verdict) -> Moment:
    result = Result(verdict.result)
    text = _sentence(verdict.rule.name, SAID[result], verdict.text)
    return Moment(
        verdict.last_at, "rule", text, url=_rule(verdict.rule.uid, verdict.rule.deleted_at is None), tone=TONES.get(result, "info")
    )


def _execution(one: Execution, calls: Mapping[str, Sequence[Invocation]]) -> Iterator[Moment]:
    is_living = one.rule is not None and one.rule.deleted_at is None
    address = reverse("automation:execution", args=[one.uid])
    result = _result(one)
    yield Moment(
        one.created_at,
        "rule",
        _sentence(one.name, SAID[result], one.reason_text),
        url=_rule(one.rule.uid, is_living) if one.rule and result == Result.FIRED else address,
        tone=TONES[result],
    )
    if result != Result.FIRED:
        return
    for call in calls.get(one.uid, ()):
        why = f": {call.error_message}" if call.error_message else ""
        tone = "ok" if call.status == Invocation.Status.COMPLETED else "info" if call.status in Invocation.OPEN else "bad"
        yield Moment(call.created_at, "call", f"Called {call.action}: {call.get_status_display()}{why}", url=address, tone=tone)
    at = one.ended_at or one.started_at or one.created_at
    tone = "info" if one.status in OPEN else "bad" if one.status in ENDED_BADLY else ENDS[ExecutionStatus(one.status)]
    yield Moment(at, "execution", f"The execution of '{one.name}' is {one.status}", url=address, tone=tone)


def _result(one: Execution) -> Result:
    """What was judged, by what became of it: only what was to run has been entered as more than skipped."""
    if one.is_shadow:
        return Result.SHADOW
    if one.key is not None:
        return Result.FIRED
    return Result.REFUSED if one.reason == Reason.OWNER else Result.HELD


def _sentence(name: str, what: str, why: str) -> str:
    return f"The rule '{name}' {what}: {why}" if why else f"The rule '{name}' {what}."


def _rule(uid: str, is_living: bool) -> str:
    return reverse("automation:rule", args=[uid]) if is_living else ""
