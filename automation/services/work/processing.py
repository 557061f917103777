"""Has a queue's processor work items off, one after another, and writes down what came of each."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F

from automation.engine import settling
from automation.engine.settling import Next
from automation.models import Queue, WorkItem
from automation.services import queues
from automation.services.work import delays, taking
from automation.services.work.taking import Taken
from config.acts.plugins.processors import Item, Processor
from config.acts.running import forms
from config.acts.texts import storable
from config.kernel.flow import clock, context
from config.kernel.flow.errors import StewardError, capture
from config.kernel.watch import notifications

RESULT_BYTES = 32 * 1024
ERROR_LETTERS = 2000
LEAST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class Settled:
    """One item that was worked, and what that means for it."""

    item: WorkItem
    then: Next


def process(taken: Taken, *, stops_at_failure: bool = False, until: datetime | None = None) -> list[Settled]:
    """Work what was taken, in order; what was not come to is given back. A queue that cannot be worked off here is paused.

    `stops_at_failure`: the first item that has failed for good ends it. `until`: nothing is begun after this.
    """
    found: list[Settled] = []
    processor = queues.processor_of(taken.queue)
    for index, item in enumerate(taken.items):
        rest = taken.items[index:]
        if processor is None or (until is not None and clock.now() >= until):
            taking.release(taken, rest)
            break
        taking.renew(taken, rest)
        if not taking.begin(taken, item):
            continue
        then = _without_secrets(processor, taken.queue, _try(processor, taken.queue, item))
        if settle(taken, item, then):
            found.append(Settled(item, then))
        if then.status == "held" or (stops_at_failure and then.status == "failed"):
            taking.release(taken, rest[1:])
            break
    return found


def _try(processor: Processor, queue: Queue, item: WorkItem) -> Next:
    """Call the processor, under the causal chain that the item came by."""
    told = Item(id=item.uid, key=item.key or item.uid, queue=queue.slug, payload=item.payload, attempt=item.attempts)
    cause: dict[str, Any] = {"correlation_id": item.correlation_id, "cause_uid": item.cause_uid, "hops": item.hops}
    with capture("queue.processor_broke", item=item.uid, queue=queue.slug) as caught, context.using(**cause):
        try:
            return settling.after_outcome(processor.process(told, queue.parameters or {}))
        except StewardError as said:
            expected = said
        chance = secrets.randbelow(1000) / 1000
        return settling.after_error(expected, attempt=item.attempts, policy=queues.policy(queue), chance=chance)
    return settling.after_error(caught.error or RuntimeError("unknown"), attempt=item.attempts, policy=queues.policy(queue))


def _without_secrets(processor: Processor, queue: Queue, then: Next) -> Next:
    """A receiver or a program may repeat what it was told; the queue's secrets are not written down with the item."""
    told = {"message": then.message, "result": then.result}
    return replace(then, **forms.without_secrets(processor.Parameters, queue.parameters or {}, told))


@transaction.atomic
def settle(taken: Taken, item: WorkItem, then: Next) -> bool:
    """Write down what came of an attempt. False when the item was lost to somebody else meanwhile: then theirs counts."""
    now = clock.now()
    changes: dict[str, Any] = {
        "status": WorkItem.Status.WAITING if then.status == "held" else then.status,
        "error_code": then.code[:40],
        "error_message": storable.text(then.message[:ERROR_LETTERS]),
        "run_seconds": max((now - (item.started_at or now)).total_seconds(), 0.0),
        "lease_token": "",
        "lease_until": None,
        "holder": "",
    }
    if then.status in ("done", "failed"):
        changes |= {"ended_at": now, "result": capped(then.result) if then.status == "done" else None}
    else:
        changes["next_attempt_at"] = _next_at(then, now)
    mine = WorkItem.objects.filter(pk=item.pk, lease_token=taken.token, status=WorkItem.Status.PROCESSING)
    if not mine.update(**changes, attempts=F("attempts") - (0 if then.is_attempt else 1)):
        return False
    for name, value in changes.items():
        setattr(item, name, value)
    item.attempts -= 0 if then.is_attempt else 1
    if then.status == "held":
        _hold(taken.queue, then.message)
    delays.look(taken.queue)
    return True


def _next_at(then: Next, now: datetime) -> datetime | None:
    if then.status == "held":
        return None
    if then.resume_at is not None:  # at once would be again and again, before all others
        return max(then.resume_at, now + LEAST_WAIT)
    return now + timedelta(seconds=then.wait_seconds or 0.0)


def _hold(queue: Queue, what: str) -> None:
    """Pause it: every further item would come to the same end."""
    if queues.pause(queue, reason=f"Not configured: {what}"):
        message = f"Its processor {queue.processor} cannot work here: {what} Put that right, then resume the queue; nothing was lost."
        notifications.notify(f"The queue {queue.slug} is paused", message=message, subject=f"queue:{queue.uid}")


def capped(result: Mapping[str, Any] | Sequence[Any]) -> Any:
    """The result as it is kept: as JSON, and only its beginning as text when it is too large."""
    text = orjson.dumps(result, default=str, option=orjson.OPT_NON_STR_KEYS)
    if len(text) <= RESULT_BYTES:
        return storable.data(orjson.loads(text))
    return {"cut": text[:RESULT_BYTES].decode(errors="ignore"), "bytes": len(text)}
