"""Groups deliveries of an endpoint that asked for it into batches, whose members, order and bytes are then fixed. Called by `dispatch`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from config.kernel.flow import clock
from config.kernel.models import Event
from config.kernel.models.base import new_uid
from webhooks.engine import envelope
from webhooks.enums import OPEN_STATUSES, DeliveryStatus, EndpointStatus
from webhooks.models import Batch, Delivery, Endpoint

# A request never grows larger than this, unless a single event is larger.
MOST_BYTES = 8 * 1024 * 1024
# Batches made in one go, so that a transaction stays short.
MOST_BATCHES = 10
# Written out, because SQLite uses a partial index only for a condition without parameters.
IS_OPEN = RawSQL("status IN ('pending', 'sending', 'retrying')", (), output_field=BooleanField())


@dataclass(frozen=True, slots=True)
class _Member:
    id: int
    event_id: int
    size: int
    due_at: datetime


def is_ripe(endpoint: Endpoint, now: datetime) -> bool:
    """Whether enough deliveries wait for a batch, or one has waited long enough."""
    waiting = _loose(endpoint, now)
    oldest = waiting.order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    if oldest is None:
        return False
    return _has_waited(endpoint, oldest, now) or waiting[: endpoint.batch_size].count() >= endpoint.batch_size


def freeze(endpoint: Endpoint, *, now: datetime) -> int:
    """Make batches of what waits for this endpoint; how many. Only one worker at a time does so for an endpoint."""
    with transaction.atomic():
        if not _lock(endpoint):
            return 0
        groups = list(_groups(endpoint, _members(endpoint, now), now))
        for group in groups:
            _make(endpoint, group, now)
    return len(groups)


def drop_empty() -> int:
    """Cancel open batches without an open member left (all cancelled, or sent again alone); how many."""
    members = Delivery.objects.filter(batch=OuterRef("pk"), status__in=OPEN_STATUSES)
    empty = Batch.objects.filter(~Exists(members), status__in=(DeliveryStatus.PENDING, DeliveryStatus.RETRYING))
    return empty.update(status=DeliveryStatus.CANCELLED, finished_at=clock.now(), next_attempt_at=None)


def _loose(endpoint: Endpoint, now: datetime) -> QuerySet[Delivery]:
    """Due deliveries that are in no batch; those left behind by a killed worker from before batching was chosen included."""
    waiting = Q(status__in=(DeliveryStatus.PENDING, DeliveryStatus.RETRYING)) | Q(status=DeliveryStatus.SENDING, lease_until__lt=now)
    found = Delivery.objects.filter(waiting, IS_OPEN, endpoint=endpoint, batch__isnull=True, next_attempt_at__lte=now)
    if not endpoint.ordering_key:
        return found
    # An older event that still waits to be routed must not come in a later batch.
    return found.exclude(Exists(Event.objects.filter(routed_at__isnull=True, pk__lt=OuterRef("event_id"))))


def _has_waited(endpoint: Endpoint, since: datetime, now: datetime) -> bool:
    return since + timedelta(seconds=endpoint.batch_max_wait_seconds) <= now


def _lock(endpoint: Endpoint) -> bool:
    """Nobody else freezes for this endpoint meanwhile. SQLite has one writer at a time anyway."""
    rows = Endpoint.objects.filter(pk=endpoint.pk, status=EndpointStatus.ACTIVE, deleted_at__isnull=True)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.values_list("pk").first() is not None


def _members(endpoint: Endpoint, now: datetime) -> list[_Member]:
    """In the order of their events. Locked, so that nobody cancels one between the look and the freeze."""
    rows = _loose(endpoint, now).order_by("event_id").select_for_update(of=("self",))
    values = rows.values_list("id", "event_id", "event__size", "next_attempt_at")
    found = values[: endpoint.batch_size * MOST_BATCHES]
    return [_Member(pk, event_id, size, due_at or now) for pk, event_id, size, due_at in found]


def _groups(endpoint: Endpoint, members: Sequence[_Member], now: datetime) -> Iterator[list[_Member]]:
    """Full batches, and the rest when its oldest has waited long enough."""
    group: list[_Member] = []
    size = 0
    for member in members:
        if group and (len(group) >= endpoint.batch_size or size + member.size > MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(member)
        size += member.size
    if group and (len(group) >= endpoint.batch_size or _has_waited(endpoint, min(one.due_at for one in group), now)):
        yield group


def _make(endpoint: Endpoint, group: Sequence[_Member], now: datetime) -> None:
    ids = [one.id for one in group]
    bodies = dict(Delivery.objects.filter(pk__in=ids).values_list("pk", "event__body"))
    uid = new_uid("bat_")
    body = envelope.batch_body(uid=uid, timestamp=clock.text(now), bodies=[bytes(bodies[pk]) for pk in ids])
    batch = Batch.objects.create(uid=uid, endpoint=endpoint, body=body, size=len(group), next_attempt_at=now)
    members = Delivery.objects.filter(pk__in=ids)
    members.update(batch=batch, status=DeliveryStatus.PENDING, lease_token="", lease_until=None)
    members.bulk_update([Delivery(pk=pk, batch_position=position) for position, pk in enumerate(ids)], ["batch_position"])
