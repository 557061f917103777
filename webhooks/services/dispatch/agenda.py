"""What is due now, what will be next. Called by `pipeline`, by the sweep and by whoever shows a queue."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, OuterRef, QuerySet, Subquery

from webhooks.enums import DeliveryStatus, EndpointStatus
from webhooks.models import Batch, Delivery, Endpoint
from webhooks.services.dispatch import batching, claiming
from webhooks.services.dispatch.claiming import Ready


def ready(now: datetime) -> list[Ready]:
    """Endpoints with something to send, after ripe batches were made of what waits for that."""
    found, made = claiming.ready(now), 0
    for one in found:
        if endpoint := _ripe(one, now):
            made += batching.freeze(endpoint, now=now)
    return claiming.ready(now) if made else found


def newest() -> int:
    """The last delivery's key: the cheapest sign that something new is there."""
    return Delivery.objects.aggregate(newest=Max("pk"))["newest"] or 0


def due_count(now: datetime) -> int:
    """How many endpoints have something to be sent now; counts no further."""
    return sum(one.has_singles or one.has_batches or _ripe(one, now) is not None for one in claiming.ready(now))


def next_due_at(now: datetime) -> datetime | None:
    """When the first thing that is not due yet will be; None when nothing waits."""
    first = Subquery(_waiting(Delivery).filter(batch__isnull=True).values("next_attempt_at")[:1])
    batch = Subquery(_waiting(Batch).values("next_attempt_at")[:1])
    rows = Endpoint.living.filter(status=EndpointStatus.ACTIVE).annotate(first=first, batch=batch).exclude(first=None, batch=None)
    moments = []
    for first_at, batch_at, is_grouped, wait, *held in rows.values_list(
        "first", "batch", "batch_enabled", "batch_max_wait_seconds", "rate_held_until", "breaker_open_until"
    ):
        grouped_at = first_at + timedelta(seconds=wait) if first_at and is_grouped else first_at
        due_at = min(moment for moment in (grouped_at, batch_at) if moment)
        moments.append(max(due_at, *(moment for moment in (*held, due_at) if moment)))
    return min((moment for moment in moments if moment > now), default=None)


def _ripe(one: Ready, now: datetime) -> Endpoint | None:
    if not one.has_loose:
        return None
    endpoint = Endpoint.objects.only("pk", "batch_size", "batch_max_wait_seconds", "ordering_key").get(pk=one.endpoint_id)
    return endpoint if batching.is_ripe(endpoint, now) else None


def _waiting(model: type[Delivery] | type[Batch]) -> QuerySet[Any]:
    rows = model._default_manager.filter(batching.IS_OPEN, endpoint=OuterRef("pk"), next_attempt_at__isnull=False)
    return rows.exclude(status=DeliveryStatus.SENDING).order_by("next_attempt_at")
