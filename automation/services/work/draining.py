"""A queue that is worked off by itself: by calls of `automation.work_off`, as many at once as the queue allows.

Each runs in a process of its own and takes item after item, so that an item that hangs or crashes takes down nothing but its own call.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from automation.models import Queue, WorkItem
from automation.services.work import processing, taking
from config.acts.models import Invocation
from config.acts.plugins.processors import processors
from config.acts.running import invocations
from config.kernel.flow import clock, leases
from config.kernel.models.base import new_uid

ACTION, DUTY = "automation.work_off", "automation.work"
# One call goes on for this long, so that a full line costs few calls, and a queue that was changed is soon worked as it says.
TURN_SECONDS = 30.0
# After a call that came to a bad end the next one waits: whatever is wrong is rarely over at once.
REST = timedelta(seconds=10)
BAD = (Invocation.Status.FAILED, Invocation.Status.TIMEOUT, Invocation.Status.REFUSED)


def due_queues() -> "QuerySet[Queue]":
    """Queues that are to be worked off by themselves and have something that may be taken now."""
    now = clock.now()
    due = Q(status=WorkItem.Status.WAITING) & (Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))
    lost = Q(status=WorkItem.Status.PROCESSING, lease_until__lte=now)
    items = WorkItem.objects.filter(due | lost, queue=OuterRef("pk"))
    runs = Queue.living.filter(is_automatic=True, is_paused=False, processor__in=list(processors.all()))
    return runs.filter(Exists(items)).order_by("id")


def waiting_queues() -> list[Queue]:
    """Those of them for which a further call may be made now."""
    return [queue for queue in due_queues() if _room(queue) > 0]


def call_workers() -> int:
    """Make the calls that are missing; how many."""
    return sum(_call(queue) for queue in waiting_queues())


def drain(queue: Queue, *, seconds: float = TURN_SECONDS) -> int:
    """Work its items off, the most urgent first; how many. Nothing is begun once `seconds` are over."""
    until, count = clock.now() + timedelta(seconds=seconds), 0
    while clock.now() < until:
        fresh = Queue.living.filter(pk=queue.pk, is_paused=False, is_automatic=True).first()
        taken = taking.take(fresh, 1, selection="priority", within_limit=True) if fresh else None
        if taken is None or not taken.items:
            return count
        count += len(processing.process(taken))
    return count


def _room(queue: Queue) -> int:
    calls = Invocation.objects.filter(caller=_caller(queue))
    if calls.filter(status__in=BAD, ended_at__gte=clock.now() - REST).exists():
        return 0
    # Items that batches and people work count too: a call that finds the limit reached would only end again.
    at_work = max(calls.filter(status__in=Invocation.OPEN).count(), taking.in_progress(queue))
    return min(queue.max_in_progress - at_work, taking.ready(queue, clock.now())[: queue.max_in_progress].count() or 1)


def _call(queue: Queue) -> int:
    with leases.held(f"work:{queue.uid}", seconds=60) as held:
        if held is None:
            return 0
        room = max(_room(queue), 0)
        for _ in range(room):
            invocations.call(
                ACTION,
                {"queue": queue.slug},
                owner=invocations.SYSTEM,
                caller=_caller(queue),
                key=new_uid("work_"),
                follower=DUTY,
                timeout_seconds=TURN_SECONDS + queue.timeout_seconds,
                retry={"max_attempts": 1},
            )
        return room


def _caller(queue: Queue) -> str:
    return f"queue:{queue.uid}"
