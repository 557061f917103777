"""What a person may do with deliveries: send again, give up. Called by the API, the admin, the dashboard, commands and replays."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from config.kernel.flow import clock, jobs
from config.kernel.flow.errors import Conflict, NotFound
from config.kernel.watch import audit
from webhooks.enums import ENDED_STATUSES, OPEN_STATUSES, DeliveryStatus
from webhooks.models import Batch, Delivery, Endpoint


def find(uid: str) -> Delivery:
    """The delivery with its event, endpoint and batch. Raises NotFound."""
    if (found := Delivery.objects.select_related("event", "endpoint", "batch").filter(uid=uid).first()) is None:
        raise NotFound(f"There is no delivery {uid[:64]!r}; deliveries are removed when their retention ends.")
    return found


@transaction.atomic
def redeliver(delivery: Delivery) -> bool:
    """Send an ended delivery again: same event id, same bytes, all attempts of the policy anew. False while it is open.

    A member of a batch leaves it. Raises Conflict when the endpoint was deleted.
    """
    if Endpoint.objects.filter(pk=delivery.endpoint_id, deleted_at__isnull=False).exists():
        raise Conflict("The endpoint was deleted, so nothing can be sent to it. Register it again and replay the events.")
    if not requeue(Delivery.objects.filter(pk=delivery.pk)):
        return False
    delivery.refresh_from_db()
    audit.record("delivery.redelivered", delivery)
    return True


@transaction.atomic
def redeliver_dead(endpoint: Endpoint | None = None, since: datetime | None = None) -> int:
    """Send every dead letter again, of one endpoint or of all living ones, that died `since` then; how many."""
    rows = Delivery.objects.filter(status=DeliveryStatus.DEAD, endpoint__deleted_at__isnull=True)
    if endpoint is not None:
        rows = rows.filter(endpoint=endpoint)
    if since is not None:
        rows = rows.filter(finished_at__gte=since)
    count = requeue(Delivery.objects.filter(pk__in=rows.values("pk")))
    if count:
        audit.record("delivery.dead_redelivered", endpoint or "", count=count, since=clock.text(since) if since else "")
    return count


@transaction.atomic
def redeliver_selected(uids: Sequence[str]) -> int:
    """Send those dead letters of the named deliveries again whose endpoints are living; how many."""
    rows = Delivery.objects.filter(uid__in=list(uids), status=DeliveryStatus.DEAD, endpoint__deleted_at__isnull=True)
    count = requeue(Delivery.objects.filter(pk__in=rows.values("pk")))
    if count:
        audit.record("delivery.selected_redelivered", "", count=count, deliveries=list(uids)[:100])
    return count


def retry_failed_webhooks() -> int:
    """Send every dead letter again; how many (S2-47)."""
    return redeliver_dead()


@transaction.atomic
def cancel(delivery: Delivery) -> bool:
    """Make no further attempt; one under way is still recorded. False when it has ended.

    Raises Conflict for a member of an open batch: its bytes travel with the others.
    """
    if delivery.batch_id and Batch.objects.filter(pk=delivery.batch_id, status__in=OPEN_STATUSES).exists():
        raise Conflict("The delivery travels in a batch that is under way and cannot be taken out of it.")
    if not _cancel(Delivery.objects.filter(pk=delivery.pk)):
        return False
    delivery.refresh_from_db()
    audit.record("delivery.cancelled", delivery)
    return True


@transaction.atomic
def cancel_open(endpoint: Endpoint) -> int:
    """Give up all that is open to an endpoint, batches included; how many deliveries."""
    _cancel(Batch.objects.filter(endpoint=endpoint))
    return _cancel(Delivery.objects.filter(endpoint=endpoint))


def requeue(rows: "QuerySet[Delivery]") -> int:
    """Make the ended ones of `rows` due now, as on the first day; how many. No record is written: the caller's deed has one."""
    now = clock.now()
    count = rows.filter(status__in=ENDED_STATUSES).update(
        status=DeliveryStatus.PENDING,
        first_attempt_number=F("attempt_count"),
        next_attempt_at=now,
        finished_at=None,
        batch=None,
        batch_position=None,
        lease_token="",
        lease_until=None,
    )
    if count:
        jobs.nudge("webhooks.deliver")
    return count


def _cancel(rows: "QuerySet[Delivery] | QuerySet[Batch]") -> int:
    # Taking the lease away with the state makes the worker's own compare-and-swap fail: it records the attempt and leaves the row.
    return rows.filter(status__in=OPEN_STATUSES).update(
        status=DeliveryStatus.CANCELLED, finished_at=clock.now(), next_attempt_at=None, lease_token="", lease_until=None
    )
