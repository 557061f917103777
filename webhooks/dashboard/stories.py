"""What webhooks has to tell of an event: how it came, to whom it went and how that ended, and who did not get it and why."""

from collections.abc import Iterator, Sequence

from django.db.models import Prefetch
from django.urls import reverse

from config.kernel.models import Event
from config.kernel.plugins.contracts import Moment, storytellers
from webhooks.enums import DeliveryStatus, ErrorCode, SkipReason
from webhooks.models import Attempt, Delivery, Receipt, Skip

SHOWN = 100
_TONES = {"accepted": "ok", "ignored": "info", "duplicate": "held", "rejected": "bad"}
_SECRETS = ("endpoint__secret", "endpoint__old_secrets", "endpoint__signing_key", "endpoint__headers")


@storytellers.plugin("webhooks.story")
def tell(event: Event) -> Sequence[Moment]:
    """In no order; who asks sorts them by time."""
    return [*_receipts(event), *_skips(event), *_deliveries(event)]


def _receipts(event: Event) -> Iterator[Moment]:
    for receipt in Receipt.objects.filter(event=event).select_related("source").defer("body", "headers").order_by("id")[:SHOWN]:
        text = f"Received from the source {receipt.source.slug} as {receipt.event_type or 'an event'}: {receipt.status}"
        text += f", {receipt.explanation[:1].lower()}{receipt.explanation[1:]}" if receipt.explanation else ""
        address = reverse("webhooks:receipt", args=[receipt.uid])
        yield Moment(receipt.created_at, "receipt", text, url=address, tone=_TONES.get(receipt.status, "info"))


def _skips(event: Event) -> Iterator[Moment]:
    for skip in Skip.objects.filter(event=event).select_related("endpoint").defer(*_SECRETS).order_by("id")[:SHOWN]:
        reason = skip.detail if skip.reason == SkipReason.FILTER and skip.detail else skip.get_reason_display()
        address = f"{reverse('webhooks:endpoint', args=[skip.endpoint.uid])}?event={event.uid}#explain"
        yield Moment(skip.created_at, "skipped", f"Skipped: {reason}. Not sent to {skip.endpoint.title}", url=address, tone="held")


def _deliveries(event: Event) -> Iterator[Moment]:
    attempts = Prefetch("attempts", Attempt.objects.defer("request_headers", "response_headers", "response_body").order_by("id"))
    rows = Delivery.objects.filter(event=event).select_related("endpoint", "batch").defer("batch__body", *_SECRETS)
    for delivery in rows.prefetch_related(attempts, _of_batches()).order_by("id")[:SHOWN]:
        yield from _delivery(delivery)


def _of_batches() -> "Prefetch[str]":
    light = Attempt.objects.defer("request_headers", "response_headers", "response_body").order_by("id")
    return Prefetch("batch__attempts", light)


def _delivery(delivery: Delivery) -> Iterator[Moment]:
    where, address = delivery.endpoint.title, reverse("webhooks:delivery", args=[delivery.uid])
    attempts = [*delivery.attempts.all(), *(delivery.batch.attempts.all() if delivery.batch else ())]
    if not attempts:
        yield Moment(delivery.created_at, "delivery", f"To be delivered to {where}", url=address)
    for attempt in attempts:
        yield _attempt(attempt, where, address)
    if delivery.status == DeliveryStatus.DEAD:
        at = delivery.finished_at or delivery.created_at
        yield Moment(at, "delivery", f"Given up for {where}: it is a dead letter now", url=address, tone="bad")
    elif delivery.status == DeliveryStatus.CANCELLED:
        yield Moment(delivery.finished_at or delivery.created_at, "delivery", f"Cancelled for {where}", url=address, tone="held")
    elif delivery.status == DeliveryStatus.RETRYING and delivery.next_attempt_at:
        yield Moment(delivery.next_attempt_at, "delivery", f"Next attempt to {where}", url=address)


def _attempt(attempt: Attempt, where: str, address: str) -> Moment:
    how = f"answered {attempt.status_code}" if attempt.status_code else str(ErrorCode(attempt.error_code).label)
    text = f"Attempt {attempt.number} to {where}: {how} after {attempt.duration_ms:,.0f} ms"
    return Moment(attempt.started_at, "delivery", text, url=address, tone="ok" if attempt.is_success else "bad")
