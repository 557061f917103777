"""What people do to items: put back, cancel, clear the error queue. Called by every door."""

from django.db import transaction
from django.db.models import Q

from automation.models import Queue, WorkItem
from automation.services.queues import DUTY
from automation.services.work import delays
from config.kernel.flow import clock, jobs, transitions
from config.kernel.flow.errors import Conflict
from config.kernel.watch import audit


@transaction.atomic
def requeue(item: WorkItem) -> bool:
    """Put it back in line with all attempts anew; one that waits for its next attempt is due at once. False: it is due or done.

    Raises Conflict while it is worked, when it is done, and when its queue was deleted.
    """
    if item.queue.deleted_at is not None:
        raise Conflict(f"The queue {item.queue.slug} was deleted. Put the payload into another one.")
    if item.status in (WorkItem.Status.DONE, WorkItem.Status.PROCESSING):
        raise Conflict(f"The item {item.uid} is {item.status}: only what failed, waits or was cancelled can be put back.")
    now = clock.now()
    anew = {"queued_at": now, "next_attempt_at": None, "attempts": 0, "deaths": 0, "ended_at": None, "batch": ""}
    if item.status == WorkItem.Status.WAITING:
        later = WorkItem.objects.filter(pk=item.pk, status=WorkItem.Status.WAITING, next_attempt_at__isnull=False)
        if not later.update(next_attempt_at=None):
            return False
        item.next_attempt_at = None
    elif not transitions.move(item, to=WorkItem.Status.WAITING, **anew):
        return False
    audit.record("item.requeued", item, queue=item.queue.slug)
    delays.look(item.queue)
    jobs.nudge(DUTY)
    return True


@transaction.atomic
def requeue_failed(queue: Queue) -> int:
    """Put everything of the error queue back in line; how many."""
    now = clock.now()
    failed = WorkItem.objects.filter(queue=queue, status=WorkItem.Status.FAILED)
    count = failed.update(
        status=WorkItem.Status.WAITING, queued_at=now, next_attempt_at=None, attempts=0, deaths=0, ended_at=None, batch=""
    )
    if count:
        audit.record("queue.requeued", queue, count=count)
        delays.look(queue)
        jobs.nudge(DUTY)
    return count


@transaction.atomic
def cancel(item: WorkItem) -> bool:
    """Do not do it. What is being worked goes on, but its end is not written down any more. False when it had ended."""
    changes = {"ended_at": clock.now(), "next_attempt_at": None, "lease_token": "", "lease_until": None, "holder": ""}
    if not transitions.move(item, to=WorkItem.Status.CANCELLED, **changes):
        return False
    audit.record("item.cancelled", item, queue=item.queue.slug)
    delays.look(item.queue)
    return True


def cancel_left_behind() -> int:
    """Cancel what came back into the line of a queue that was deleted while it was worked: nobody would ever take it. How many."""
    left = WorkItem.objects.filter(status=WorkItem.Status.WAITING, queue__deleted_at__isnull=False)
    return left.update(status=WorkItem.Status.CANCELLED, ended_at=clock.now(), next_attempt_at=None)


@transaction.atomic
def clear_errors(queue: Queue | None = None) -> int:
    """Archive what failed, in one queue or in all: it is out of the way, and kept until its retention ends. How many.

    Dead letters of webhooks are something else, and are never touched.
    """
    failed = Q(status=WorkItem.Status.FAILED) & (Q(queue=queue) if queue else Q())
    count = WorkItem.objects.filter(failed).update(status=WorkItem.Status.ARCHIVED, ended_at=clock.now())
    if count:
        audit.record("queue.errors_cleared", queue or "queue:all", count=count)
    return count
