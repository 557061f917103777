"""New items: checked, bounded by the queue's length, once per key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import transaction

from automation.models import Queue, WorkItem
from automation.services.queues import DUTY
from automation.services.work import delays
from config.kernel.flow import clock, context, jobs
from config.kernel.flow.errors import Conflict, InvalidInput, LimitReached, NotFound
from config.kernel.models.base import new_uids

PAYLOAD_BYTES = 64 * 1024
MOST_AT_ONCE = 1000
FULL_RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class Draft:
    """An item that somebody wants done. Under the same `key` it is the same item, whatever has become of it."""

    payload: Mapping[str, Any]
    key: str = ""
    priority: int = WorkItem.Priority.NORMAL


def find(uid: str) -> WorkItem:
    """The item. Raises NotFound."""
    found = WorkItem.objects.select_related("queue").filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no item {uid!r}. It may have been removed after its retention time.")
    return found


def enqueue(queue: Queue, payload: Mapping[str, Any], *, key: str = "", priority: int = WorkItem.Priority.NORMAL) -> WorkItem:
    """Put one in, or give the one that is there under `key`. Raises InvalidInput, LimitReached when the queue is full."""
    [item] = enqueue_many(queue, [Draft(payload, key, priority)])
    return item


@transaction.atomic
def enqueue_many(queue: Queue, drafts: Sequence[Draft]) -> list[WorkItem]:
    """Put all of them in or none, in this order. Raises InvalidInput that names the item, LimitReached when there is no room for all."""
    if not 1 <= len(drafts) <= MOST_AT_ONCE:
        raise InvalidInput(f"Send 1 to {MOST_AT_ONCE:,} items at once, not {len(drafts):,}.")
    for number, draft in enumerate(drafts):
        _check(draft, where=f"items.{number}" if len(drafts) > 1 else "payload")
    # One at a time per queue: two that see room for the last item would both take it.
    locked = Queue.living.select_for_update(no_key=True).filter(pk=queue.pk).first()
    if locked is None:
        raise Conflict(f"The queue {queue.slug} was deleted. Choose another one.")
    keys = {draft.key for draft in drafts if draft.key}
    known = {item.key: item for item in WorkItem.objects.filter(queue=locked, key__in=keys)} if keys else {}
    fresh = _fresh(locked, drafts, known)
    _make_room(locked, len(fresh))
    WorkItem.objects.bulk_create(fresh)
    made = iter(fresh)
    items = [known[draft.key] if draft.key else next(made) for draft in drafts]
    if fresh:
        delays.look(locked)
        jobs.nudge(DUTY)
    return items


def _fresh(queue: Queue, drafts: Sequence[Draft], known: dict[str | None, WorkItem]) -> list[WorkItem]:
    """Rows for what is not there yet; those with a key are added to `known`. Those without come first, in order."""
    here, now = context.current(), clock.now()
    plain, keyed = [], []
    for uid, draft in zip(new_uids("itm_", len(drafts)), drafts, strict=True):
        if draft.key and draft.key in known:
            continue
        item = WorkItem(
            uid=uid,
            queue=queue,
            payload=dict(draft.payload),
            key=draft.key or None,
            priority=draft.priority,
            queued_at=now,
            created_at=now,
            added_by=here.actor[:150],
            correlation_id=here.correlation_id,
            cause_uid=here.cause_uid,
            hops=here.hops,
        )
        if draft.key:
            known[draft.key] = item
            keyed.append(item)
        else:
            plain.append(item)
    return [*plain, *keyed]


def _make_room(queue: Queue, count: int) -> None:
    depth = WorkItem.objects.filter(queue=queue, status=WorkItem.Status.WAITING).count()
    if count and depth + count > queue.max_length:
        raise LimitReached(
            f"The queue {queue.slug} is full: {depth:,} items wait, {queue.max_length:,} may, and {count:,} more came. "
            "Try again when it is shorter, or raise its greatest length.",
            code="queue_full",
            retry_after_seconds=FULL_RETRY_SECONDS,
        )


def _check(draft: Draft, *, where: str) -> None:
    if not isinstance(draft.payload, Mapping):
        raise InvalidInput("The payload must be a JSON object.", fields={where: ["It must be a JSON object."]})
    try:
        size = len(orjson.dumps(draft.payload))
    except (TypeError, orjson.JSONEncodeError, RecursionError):
        raise InvalidInput("The payload cannot be written as JSON.", fields={where: ["It cannot be written as JSON."]}) from None
    if size > PAYLOAD_BYTES:
        said = f"It has {size:,} bytes; {PAYLOAD_BYTES:,} may be. Store the rest elsewhere and send its address."
        raise InvalidInput(f"The payload is too large. {said}", fields={where: [said]})
    if len(draft.key) > 200:
        raise InvalidInput("The key is too long: 200 characters may be.", fields={"key": ["At most 200 characters."]})
    if draft.priority not in WorkItem.Priority.values:
        raise InvalidInput("The priority must be 0 (low) to 3 (critical).", fields={"priority": ["0, 1, 2 or 3."]})
