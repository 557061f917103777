"""A queue that is worked off by itself: item after item until nothing is due, the limit is reached, or the time is up."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from automation.models import Queue, WorkItem
from automation.services.work import processing, taking
from config.acts.plugins.processors import processors
from config.kernel.flow import clock


def due_queues() -> "QuerySet[Queue]":
    """Queues that are to be worked off by themselves and have something that may be taken now."""
    now = clock.now()
    due = Q(status=WorkItem.Status.WAITING) & (Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now))
    lost = Q(status=WorkItem.Status.PROCESSING, lease_until__lte=now)
    items = WorkItem.objects.filter(due | lost, queue=OuterRef("pk"))
    runs = Queue.living.filter(is_automatic=True, is_paused=False, processor__in=list(processors.all()))
    return runs.filter(Exists(items)).order_by("id")


def drain(queue: Queue, *, seconds: float) -> int:
    """Work its items off, the most urgent first; how many. Nothing is begun once `seconds` are over."""
    until, count = clock.now() + timedelta(seconds=seconds), 0
    while clock.now() < until:
        fresh = Queue.living.filter(pk=queue.pk, is_paused=False, is_automatic=True).first()
        taken = taking.take(fresh, 1, selection="priority", within_limit=True) if fresh else None
        if taken is None or not taken.items:
            return count
        count += len(processing.process(taken))
    return count
