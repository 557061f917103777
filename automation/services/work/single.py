"""One item made and worked at once, as the action `automation.process_item` does. Again later where its queue's policy says so."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from automation.models import Queue, WorkItem
from automation.services.work import batches, deeds, enqueuing, processing, taking
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Waiting

# How often we look at an item that somebody else is working.
LOOK_SECONDS = 5


def run(queue: Queue, payload: Mapping[str, Any], *, key: str) -> Outcome:
    """Under the same `key` it is the same item. Waiting until it is tried again; Done and Failed tell its id."""
    known = WorkItem.objects.filter(queue=queue, key=key).first()
    if known is None and (refusal := batches.refused(queue)):
        return refusal
    item = known or enqueuing.enqueue(queue, payload, key=key)
    is_due = item.next_attempt_at is None or item.next_attempt_at <= clock.now()
    if is_due and not queue.is_paused:
        settled = processing.process(taking.take_this(item))
        if settled and settled[0].then.status == "held":
            deeds.cancel(settled[0].item)
            return NotConfigured(settled[0].then.message)
    return _standing(enqueuing.find(item.uid))


def _standing(item: WorkItem) -> Outcome:
    """What has become of the item, as the action's own outcome."""
    match item.status:
        case WorkItem.Status.DONE:
            return Done({"item_id": item.uid, "queue": item.queue.slug, "attempts": item.attempts, "result": item.result})
        case WorkItem.Status.FAILED:
            return Failed(item.error_code or "failed", f"{item.error_message} The item is {item.uid}.")
        case WorkItem.Status.CANCELLED | WorkItem.Status.ARCHIVED:
            return Failed("cancelled", f"The item {item.uid} was {item.status} before it was done.")
    later = clock.now() + timedelta(seconds=LOOK_SECONDS)
    return Waiting(max(item.next_attempt_at or later, later) if item.next_attempt_at else later, {"item_id": item.uid})
