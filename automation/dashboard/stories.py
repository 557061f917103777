"""What automation has to tell of an event: which rules it woke, which of them fired, and why the others did not."""

from collections.abc import Iterator, Sequence

from django.urls import reverse

from automation.dashboard.executions import HEAVY
from automation.dashboard.rules import TONES
from automation.enums import Result
from automation.models import Execution, Verdict
from config.kernel.models import Event
from config.kernel.plugins.contracts import Moment, storytellers
from config.look import words

SHOWN = 50


@storytellers.plugin("automation.rules")
def tell(event: Event) -> Sequence[Moment]:
    """In no order; who asks sorts them by time."""
    return [*_executions(event), *_verdicts(event)]


def _executions(event: Event) -> Iterator[Moment]:
    for one in Execution.objects.filter(event=event).defer(*HEAVY).order_by("id")[:SHOWN]:
        text = f"The rule {one.name!r} {'would have fired (shadow)' if one.is_shadow else f'fired: {one.status}'}"
        if one.status == "skipped" and not one.is_shadow:
            text = f"The rule {one.name!r} was held: {one.reason_text}"
        tone = "info" if one.is_shadow else words.tone_of(one.status)
        yield Moment(one.created_at, "rule", text, url=reverse("automation:execution", args=[one.uid]), tone=tone)


def _verdicts(event: Event) -> Iterator[Moment]:
    """Rules that it woke without anything coming of it. A verdict of many names the latest event only, so an older one has none."""
    rows = Verdict.objects.filter(event_uid=event.uid, execution=None).select_related("rule").defer("rule__actions")
    for one in rows.order_by("id")[:SHOWN]:
        text = f"The rule {one.rule.name!r}: {one.get_result_display()}. {one.text}{_run(one)}"
        tone = TONES[Result(one.result)]
        yield Moment(one.last_at, "rule", text, url=reverse("automation:rule", args=[one.rule.uid]), tone="info" if tone == "off" else tone)


def _run(one: Verdict) -> str:
    """How many were judged so in a row, of which this event was the latest."""
    if one.count == 1:
        return ""
    return f" So it was judged {one.count:,} times in a row, from {words.exact(one.first_at)} to {words.exact(one.last_at)}."
