"""Removes what has outlived its retention, a chunk at a time by an indexed time. Run by the duty `webhooks.retention`.

Each class has its own setting; what is open, and an event that something living points to, is never touched; audit rows never are.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import PROTECT, Exists, OuterRef, QuerySet

from config.kernel.desk import options
from config.kernel.flow import leases
from config.kernel.models import Event, RouteFailure
from webhooks.enums import OPEN_STATUSES, DeliveryStatus, SkipReason
from webhooks.models import Attempt, Batch, Delivery, Receipt, Skip

CHUNK = 1000
# When nothing is left to remove, nobody looks again for this long.
REST = "webhooks.retention.rest"
REST_SECONDS = 600


def due_count(now: datetime) -> int:
    """Whether it is time to look: 1 unless all was found done within the last ten minutes."""
    return 0 if leases.holder(REST) else 1


def work(now: datetime, limit: int) -> int:
    """Remove a chunk of each class; `limit` when there may be more, so that the caller comes again, else 0 and a rest."""
    if leases.holder(REST):
        return 0
    if remove(now) >= 1:
        return limit
    leases.acquire(REST, seconds=REST_SECONDS)
    return 0


def remove(now: datetime) -> int:
    """Remove up to 1,000 rows of each class that is past its time; how many rows in all, those that hang on them not counted."""
    return sum(step(now) for step in _STEPS)


def _orphans(now: datetime) -> int:
    """Give up what is open to a deleted endpoint: an event that was being routed while it was deleted."""
    left = Delivery.objects.filter(status__in=OPEN_STATUSES, endpoint__deleted_at__isnull=False).order_by()
    keys = list(left.values_list("pk", flat=True)[:CHUNK])
    return Delivery.objects.filter(pk__in=keys).update(status=DeliveryStatus.CANCELLED, finished_at=now, next_attempt_at=None)


def _deliveries(now: datetime) -> int:
    ended = Delivery.objects.filter(status__in=(DeliveryStatus.DELIVERED, DeliveryStatus.CANCELLED))
    return _remove_deliveries(ended.filter(finished_at__lt=_days_ago(now, "WEBHOOK_CLEANUP_DAYS")))


def _dead_letters(now: datetime) -> int:
    dead = Delivery.objects.filter(status=DeliveryStatus.DEAD)
    return _remove_deliveries(dead.filter(finished_at__lt=_days_ago(now, "DEAD_LETTER_RETENTION_DAYS")))


@transaction.atomic
def _remove_deliveries(rows: "QuerySet[Delivery]") -> int:
    keys = list(rows.order_by("finished_at").values_list("pk", flat=True)[:CHUNK])
    Attempt.objects.filter(delivery_id__in=keys).delete()
    return Delivery.objects.filter(pk__in=keys).delete()[0]


@transaction.atomic
def _batches(now: datetime) -> int:
    """A batch goes after the last of its members: their attempts are its own."""
    ended = Batch.objects.filter(finished_at__lt=_days_ago(now, "WEBHOOK_CLEANUP_DAYS"))
    empty = ended.exclude(Exists(Delivery.objects.filter(batch=OuterRef("pk"))))
    keys = list(empty.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    Attempt.objects.filter(batch_id__in=keys).delete()
    return Batch.objects.filter(pk__in=keys).delete()[0]


def _skips(now: datetime) -> int:
    """Those by a filter. Those of a disabled endpoint wait for its return as long as their event is kept."""
    old = Skip.objects.filter(created_at__lt=_days_ago(now, "WEBHOOK_CLEANUP_DAYS"), reason=SkipReason.FILTER)
    return _remove(old.order_by("created_at"))


def _receipt_bodies(now: datetime) -> int:
    old = Receipt.objects.filter(created_at__lt=_days_ago(now, "RECEIPT_BODY_RETENTION_DAYS"), body__isnull=False)
    keys = list(old.order_by("created_at").values_list("pk", flat=True)[:CHUNK])
    return Receipt.objects.filter(pk__in=keys).update(body=None)


def _receipts(now: datetime) -> int:
    return _remove(Receipt.objects.filter(created_at__lt=_days_ago(now, "RECEIPT_RETENTION_DAYS")).order_by("created_at"))


@transaction.atomic
def _events(now: datetime) -> int:
    """Routed events that nothing living points to. Which rows protect an event, the models say: no app need be named here."""
    old = Event.objects.filter(created_at__lt=_days_ago(now, "EVENT_RETENTION_DAYS"), routed_at__isnull=False)
    for relation in Event._meta.related_objects:
        if relation.on_delete is PROTECT:
            holders: Any = relation.related_model._default_manager
            old = old.exclude(Exists(holders.filter(**{relation.field.name: OuterRef("pk")})))
    waiting = RouteFailure.objects.filter(event=OuterRef("pk"), next_attempt_at__isnull=False)
    return _remove(old.exclude(Exists(waiting)).order_by("created_at"))


def _remove(rows: "QuerySet[Any]") -> int:
    keys = list(rows.values_list("pk", flat=True)[:CHUNK])
    rows.model._default_manager.filter(pk__in=keys).delete()
    return len(keys)


def _days_ago(now: datetime, option: str) -> datetime:
    return now - timedelta(days=options.get(option))


_STEPS: tuple[Callable[[datetime], int], ...] = (
    _orphans,
    _deliveries,
    _dead_letters,
    _batches,
    _skips,
    _receipt_bodies,
    _receipts,
    _events,
)
