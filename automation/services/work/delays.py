"""Says once that a queue is late: `processing.delayed` when it passes its threshold, and again only after it had recovered."""

from datetime import datetime, timedelta

from django.db import transaction

from automation.models import Queue
from automation.services.work.figures import Figures, figures
from config.kernel.flow import clock, events


def look(queue: Queue) -> bool:
    """Compare the queue with its thresholds and note a change of state. Whether it was announced just now."""
    if queue.delayed_depth is None and queue.delayed_age_seconds is None:
        return False
    now = clock.now()
    seen = figures(queue)
    if _is_over(queue, seen):
        return _announce(queue, seen, now)
    if _is_under(queue, seen):
        Queue.objects.filter(pk=queue.pk, delayed_since__isnull=False).update(delayed_since=None)
    return False


def look_at_all() -> int:
    """Every living queue that has a threshold; for those whose items only grow older. How many were announced."""
    watched = Queue.living.exclude(delayed_depth__isnull=True, delayed_age_seconds__isnull=True)
    return sum(look(queue) for queue in watched)


@transaction.atomic
def _announce(queue: Queue, seen: Figures, now: datetime) -> bool:
    if not Queue.objects.filter(pk=queue.pk, delayed_since__isnull=True).update(delayed_since=now):
        return False
    data = {
        "queue_depth": seen.depth,
        "estimated_delay": seen.estimated_delay_seconds,
        "queue": queue.slug,
        "oldest_age_seconds": round(seen.oldest_age_seconds, 1),
    }
    events.publish("processing.delayed", data=data, subject=queue)
    return True


def _is_over(queue: Queue, seen: Figures) -> bool:
    is_long = queue.delayed_depth is not None and seen.depth > queue.delayed_depth
    is_old = queue.delayed_age_seconds is not None and timedelta(seconds=seen.oldest_age_seconds) > timedelta(
        seconds=queue.delayed_age_seconds
    )
    return is_long or is_old


def _is_under(queue: Queue, seen: Figures) -> bool:
    """Below the thresholds, not at them: a queue that swings about one item is announced once."""
    is_short = queue.delayed_depth is None or seen.depth < max(queue.delayed_depth, 1)
    is_young = queue.delayed_age_seconds is None or seen.oldest_age_seconds < queue.delayed_age_seconds
    return is_short and is_young
