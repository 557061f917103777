"""What came of an event by way of rules: each call that their executions made, and how those ended. Which rules woke is told elsewhere."""

from collections.abc import Iterator, Sequence

from django.urls import reverse

from automation.enums import ENDED_BADLY, OPEN, ExecutionStatus
from automation.models import Execution
from automation.services import executions
from config.acts.models import Invocation
from config.kernel.models import Event
from config.kernel.plugins.contracts import Moment, storytellers

TOLD = 50
HEAVY = ("actions", "facts", "parts")


@storytellers.plugin("automation.executions")
def tell(event: Event) -> Sequence[Moment]:
    """In no order; who asks sorts them by time."""
    woken = Execution.objects.filter(event=event, started_at__isnull=False).defer(*HEAVY).order_by("id")
    rows = list(woken[:TOLD])
    calls = executions.calls_of(rows)
    return [moment for one in rows for moment in _moments(one, calls[one.uid])]


def _moments(one: Execution, calls: Sequence[Invocation]) -> Iterator[Moment]:
    for call in calls:
        why = f": {call.error_message}" if call.error_message else ""
        tone = "ok" if call.status == Invocation.Status.COMPLETED else "info" if call.status in Invocation.OPEN else "bad"
        address = reverse("dashboard:call", args=[call.uid])
        yield Moment(call.created_at, "call", f"Called {call.action}: {call.get_status_display()}{why}", url=address, tone=tone)
    if one.status not in OPEN and one.ended_at is not None:
        tone = "bad" if one.status in ENDED_BADLY else "ok" if one.status == ExecutionStatus.COMPLETED else "held"
        yield Moment(one.ended_at, "execution", f"What the rule {one.name!r} started has ended: {one.status}", tone=tone)
