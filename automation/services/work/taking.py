"""Takes items out of the line: leased, so that nobody else has them, and found again when whoever took them vanishes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from automation.engine import settling
from automation.models import Queue, WorkItem
from automation.services import queues
from config.kernel.flow import clock, leases
from config.kernel.flow.errors import InvalidInput

# Over the queue's own time for one attempt: for writing down what came of it.
MARGIN_SECONDS = 30
MOST_AT_ONCE = 1000
SELECTIONS = {"oldest": ("queued_at", "id"), "newest": ("-queued_at", "-id"), "priority": ("-priority", "queued_at", "id")}
_FREE: dict[str, Any] = {"lease_token": "", "lease_until": None, "holder": ""}


@dataclass(frozen=True)
class Taken:
    """Items that we own while `token` is theirs, in the order in which they are to be worked."""

    queue: Queue
    token: str
    items: Sequence[WorkItem]


def ready(queue: Queue, now: datetime) -> "QuerySet[WorkItem]":
    """What waits and may be taken."""
    waiting = WorkItem.objects.filter(queue=queue, status=WorkItem.Status.WAITING)
    return waiting.filter(Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))


def take(queue: Queue, count: int, *, selection: str = "oldest", batch: str = "", within_limit: bool = False) -> Taken:
    """Own up to `count` items for as long as one attempt may take. Those that another worker is just taking are passed over.

    `within_limit`: no more than leaves `max_in_progress` at work. Raises InvalidInput for an unknown selection.
    """
    if selection not in SELECTIONS:
        raise InvalidInput(f"There is no selection {selection!r}; there are: {', '.join(SELECTIONS)}.", fields={"queue_selection": []})
    recover(queue)
    with transaction.atomic():
        now = clock.now()
        if within_limit:
            Queue.objects.select_for_update(no_key=True).get(pk=queue.pk)
            count = min(count, queue.max_in_progress - in_progress(queue))
        rows = ready(queue, now).order_by(*SELECTIONS[selection])
        return _own(queue, rows, max(count, 0), batch=batch)


def take_this(item: WorkItem) -> Taken:
    """Own this one, due or not; nothing is taken when somebody else has it or it waits no more."""
    with transaction.atomic():
        waiting = WorkItem.objects.filter(pk=item.pk, status=WorkItem.Status.WAITING)
        return _own(item.queue, waiting.order_by("id"), 1, batch="")


def take_again(queue: Queue, *, batch: str) -> Taken:
    """Own what a batch has not come to yet, since its worker vanished. Only for the one call that the batch belongs to."""
    with transaction.atomic():
        members = WorkItem.objects.filter(queue=queue, batch=batch, status__in=WorkItem.OPEN)
        for item in members.filter(status=WorkItem.Status.PROCESSING):
            lose(item, queue)
        # Those that are to be tried again later have their time; they are no longer the batch's.
        rows = members.filter(status=WorkItem.Status.WAITING, next_attempt_at__isnull=True)
        return _own(queue, rows.order_by("queued_at", "id"), MOST_AT_ONCE, batch=batch)


def in_progress(queue: Queue) -> int:
    """How many of its items are being worked, by whomever; what a worker left behind does not count."""
    return WorkItem.objects.filter(queue=queue, status=WorkItem.Status.PROCESSING, lease_until__gt=clock.now()).count()


def renew(taken: Taken, items: Sequence[WorkItem]) -> None:
    """Own them for another attempt's time. Not before half of the margin is used up: what is done at once is not written for each item."""
    now, attempt = clock.now(), taken.queue.timeout_seconds
    if (items[0].lease_until or now) > now + timedelta(seconds=attempt + MARGIN_SECONDS / 2):
        return
    until = now + timedelta(seconds=attempt + MARGIN_SECONDS)
    mine = WorkItem.objects.filter(lease_token=taken.token, status=WorkItem.Status.PROCESSING)
    mine.filter(pk__in=[item.pk for item in items]).update(lease_until=until)
    for item in items:
        item.lease_until = until


def release(taken: Taken, items: Sequence[WorkItem]) -> int:
    """Give back what was not begun; it keeps its place in the line."""
    mine = WorkItem.objects.filter(lease_token=taken.token, pk__in=[item.pk for item in items], status=WorkItem.Status.PROCESSING)
    return mine.filter(started_at__isnull=True).update(status=WorkItem.Status.WAITING, batch="", **_FREE)


def recover(queue: Queue | None = None) -> int:
    """Put back, or quarantine, items whose worker vanished: their lease has run out. How many there were."""
    gone = WorkItem.objects.filter(status=WorkItem.Status.PROCESSING, lease_until__lte=clock.now()).select_related("queue")
    if queue is not None:
        gone = gone.filter(queue=queue)
    return sum(lose(item, item.queue) for item in gone[:200])


def lose(item: WorkItem, queue: Queue) -> bool:
    """Take the item from a worker that vanished. One that it had not begun simply waits again."""
    mine = WorkItem.objects.filter(pk=item.pk, status=WorkItem.Status.PROCESSING, lease_token=item.lease_token)
    if item.started_at is None:
        return bool(mine.update(status=WorkItem.Status.WAITING, **_FREE))
    deaths = item.deaths + 1
    then = settling.after_loss(deaths=deaths, attempts=item.attempts, policy=queues.policy(queue))
    ended_at = clock.now() if then.status == "failed" else None
    return bool(
        mine.update(status=then.status, deaths=deaths, ended_at=ended_at, error_code=then.code, error_message=then.message, **_FREE)
    )


def begin(taken: Taken, item: WorkItem) -> bool:
    """From here on it counts as an attempt. False when it was lost or cancelled meanwhile."""
    now = clock.now()
    mine = WorkItem.objects.filter(pk=item.pk, lease_token=taken.token, status=WorkItem.Status.PROCESSING)
    if not mine.update(started_at=now, attempts=F("attempts") + 1, holder=leases.me()):
        return False
    item.started_at, item.attempts = now, item.attempts + 1
    return True


def _own(queue: Queue, rows: "QuerySet[WorkItem]", count: int, *, batch: str) -> Taken:
    now, token = clock.now(), secrets.token_hex(16)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    found = list(rows[:count])
    owned = {
        "status": WorkItem.Status.PROCESSING,
        "lease_token": token,
        "lease_until": now + timedelta(seconds=queue.timeout_seconds + MARGIN_SECONDS),
        "holder": leases.me(),
        "next_attempt_at": None,
        "started_at": None,
        "batch": batch,
    }
    WorkItem.objects.filter(pk__in=[item.pk for item in found]).update(**owned)
    for item in found:
        for name, value in owned.items():
            setattr(item, name, value)
    return Taken(queue, token, found)
