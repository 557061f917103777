"""Several items of a queue as one batch, with its events: started, then completed or failed, under one id.

An item that fails for good ends the batch: what was not come to goes back in line. One that is to be tried again later does not.
Started again under the same id after a crash, it goes on with what is left of it. One whose call is stopped has failed all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from automation.models import Queue, WorkItem
from automation.services import queues
from automation.services.work import processing, taking
from automation.services.work.figures import figures
from automation.services.work.taking import Taken
from config.acts.models import Invocation
from config.kernel.flow import clock, events
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused
from config.kernel.models import Event

ACTION = "automation.batch_process"
STOPPED = (Invocation.Status.FAILED, Invocation.Status.TIMEOUT, Invocation.Status.CANCELLED)
# A call that was stopped is found at the next look; this is for when nobody looked for a while.
LOOK_BACK, MOST_LEFT = timedelta(days=1), 200
WORDS = {WorkItem.Status.DONE: "completed", WorkItem.Status.FAILED: "failed", WorkItem.Status.WAITING: "retrying"}


def run(queue: Queue, *, size: int, selection: str, batch_id: str, seconds: float) -> Outcome:
    """Take up to `size` items and work them within `seconds`. Nothing waiting: Done with `taken` 0, and no events."""
    if refusal := refused(queue):
        return refusal
    started, taken = _start(queue, size=size, selection=selection, batch_id=batch_id)
    if started is None:
        return Done({"batch_id": "", "queue": queue.slug, "taken": 0, "results": []})
    until = started + timedelta(seconds=max(seconds - queue.timeout_seconds, seconds / 2))
    settled = processing.process(taken, stops_at_failure=True, until=until)
    held = next((one.then.message for one in settled if one.then.status == "held"), "")
    return _end(queue, batch_id=batch_id, taken=taken, started=started, held=held)


def refused(queue: Queue) -> Outcome | None:
    """Why nothing may be taken from the queue, or None."""
    if queue.is_paused:
        return Refused(f"The queue {queue.slug} is paused ({queue.pause_reason}). Resume it first.")
    if not queue.processor:
        return NotConfigured(f"The queue {queue.slug} has no processor. Choose what works its items off.")
    if queues.processor_of(queue) is None:
        return NotConfigured(f"The processor {queue.processor} of the queue {queue.slug} is not installed any more. Choose another one.")
    return None


def id_of(call_uid: str) -> str:
    """The id of the batch that a call works: however often it is started again, it is the same."""
    return f"batch_{call_uid.rpartition('_')[2]}"


def end_left_behind() -> int:
    """Say `batch.failed` of those whose call has ended without a word: stopped at its time, cancelled, or its process gone. How many."""
    calls = Invocation.objects.filter(action=ACTION, created_at__gte=clock.now() - LOOK_BACK, status__in=STOPPED)
    ids = [id_of(uid) for uid in calls.order_by("-id").values_list("uid", flat=True)[:MOST_LEFT]]
    said = Event.objects.filter(uid__in=[f"{one}_{word}" for one in ids for word in ("started", "ended")])
    subjects = dict(said.values_list("uid", "subject"))
    left = [one for one in ids if f"{one}_started" in subjects and f"{one}_ended" not in subjects]
    for batch_id in left:
        for queue in Queue.objects.filter(uid=subjects[f"{batch_id}_started"].partition(":")[2]):
            _fail(queue, batch_id, "The call that worked it was stopped before its end.", _results(_members(batch_id)))
    return len(left)


@transaction.atomic
def _start(queue: Queue, *, size: int, selection: str, batch_id: str) -> tuple[datetime | None, Taken]:
    """Take, and say so, both or neither; the second time take only what is left."""
    begun = Event.objects.filter(uid=f"{batch_id}_started").first()
    if begun is not None:
        return begun.occurred_at, taking.take_again(queue, batch=batch_id)
    per_item = figures(queue).seconds_per_item or 0.0
    taken = taking.take(queue, size, selection=selection, batch=batch_id)
    if not taken.items:
        return None, taken
    count = len(taken.items)
    data = {"batch_id": batch_id, "video_count": count, "estimated_time": round(per_item * count, 1), "queue": queue.slug}
    return events.publish("batch.started", data=data, uid=f"{batch_id}_started", subject=queue).occurred_at, taken


@transaction.atomic
def _end(queue: Queue, *, batch_id: str, taken: Taken, started: datetime, held: str) -> Outcome:
    members = list(_members(batch_id).select_for_update(of=("self",)))
    results = _results(members)
    if error := held or _error(members, taken):
        done = _fail(queue, batch_id, error, results)
        return NotConfigured(held) if held else Failed("batch_failed", f"{error} Done before: {', '.join(done) or 'none'}.")
    total = round((clock.now() - started).total_seconds(), 3)
    data = {"batch_id": batch_id, "queue": queue.slug, "results": results, "total_time": max(total, 0.0)}
    events.publish("batch.completed", data=data, uid=f"{batch_id}_ended", subject=queue)
    return Done({**data, "taken": len(results)})


def _fail(queue: Queue, batch_id: str, error: str, results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Announce it, once; what was done before."""
    done = [one["video_id"] for one in results if one["status"] == "completed"]
    data = {"batch_id": batch_id, "queue": queue.slug, "error": error, "completed_videos": done}
    events.publish("batch.failed", data=data, uid=f"{batch_id}_ended", subject=queue)
    return done


def _members(batch_id: str) -> "QuerySet[WorkItem]":
    return WorkItem.objects.filter(batch=batch_id).order_by("ended_at", "queued_at", "id")


def _results(members: Iterable[WorkItem]) -> list[dict[str, Any]]:
    return [_result(item) for item in members if item.status in WORDS]


def _error(members: list[WorkItem], taken: Taken) -> str:
    """Why it did not come to its end; empty when it did."""
    failed = next((item for item in members if item.status == WorkItem.Status.FAILED), None)
    if failed is not None:
        return f"The item {failed.uid} failed: {failed.error_message or failed.error_code}"
    unbegun = [item.pk for item in taken.items if item.started_at is None]
    left = WorkItem.objects.filter(pk__in=unbegun, status=WorkItem.Status.WAITING).count()
    return f"Its time was up before {left} of its items were begun; they wait again." if left else ""


def _result(item: WorkItem) -> dict[str, Any]:
    return {"video_id": name_of(item), "item_id": item.uid, "status": WORDS[WorkItem.Status(item.status)], "attempts": item.attempts}


def name_of(item: WorkItem) -> str:
    """What its sender calls it: `video_id` or `subject_id` of the payload, otherwise its own id."""
    for field in ("video_id", "subject_id"):
        if given := item.payload.get(field):
            return str(given)
    return item.uid
