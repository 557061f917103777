"""How a queue stands: depth, age, throughput, delay. Read by pages, the API, commands, the sampler and rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, Min, Q

from automation.engine import settling
from automation.models import Queue, WorkItem
from config.kernel.flow import clock

# Throughput is of the last minutes: an older pace says nothing of the present line.
WINDOW = timedelta(minutes=5)


@dataclass(frozen=True)
class Figures:
    """A queue now. `depth`: items waiting, those that are tried again later included; ages and delays are seconds.

    `seconds_per_item` is the mean of the window's attempts, None when there was none.
    """

    depth: int = 0
    processing: int = 0
    failed: int = 0
    oldest_age_seconds: float = 0.0
    done_recently: int = 0
    seconds_per_item: float | None = None
    is_delayed: bool = False

    @property
    def throughput_per_minute(self) -> float:
        """Items done per minute, over the window."""
        return self.done_recently / (WINDOW.total_seconds() / 60)

    @property
    def estimated_delay_seconds(self) -> float:
        """Until the last of the line is done, at the present pace."""
        return settling.delay_of_line(depth=self.depth, per_minute=self.throughput_per_minute, oldest_age_seconds=self.oldest_age_seconds)


def figures(queue: Queue) -> Figures:
    """One queue now."""
    return figures_of([queue])[queue.pk]


def figures_of(rows: Sequence[Queue]) -> dict[int, Figures]:
    """Several at once, by primary key, in two statements."""
    now, keys = clock.now(), [row.pk for row in rows]
    standing = _standing(keys)
    recent = _recent(keys, now - WINDOW)
    return {row.pk: _figures(row, standing.get(row.pk, {}), recent.get(row.pk, {}), now) for row in rows}


def _standing(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    kinds = (WorkItem.Status.WAITING, WorkItem.Status.PROCESSING, WorkItem.Status.FAILED)
    waiting = Q(status=WorkItem.Status.WAITING)
    counted: Any = (
        WorkItem.objects.filter(queue__in=keys, status__in=kinds)
        .order_by()
        .values("queue_id")
        .annotate(
            depth=Count("pk", filter=waiting),
            processing=Count("pk", filter=Q(status=WorkItem.Status.PROCESSING)),
            failed=Count("pk", filter=Q(status=WorkItem.Status.FAILED)),
            oldest=Min("queued_at", filter=waiting),
        )
    )
    return {row["queue_id"]: row for row in counted}


def _recent(keys: Sequence[int], since: datetime) -> dict[int, dict[str, Any]]:
    done = WorkItem.objects.filter(queue__in=keys, status=WorkItem.Status.DONE, ended_at__gte=since)
    counted: Any = done.order_by().values("queue_id").annotate(done=Count("pk"), seconds=Avg("run_seconds"))
    return {row["queue_id"]: row for row in counted}


def _figures(queue: Queue, standing: dict[str, Any], recent: dict[str, Any], now: datetime) -> Figures:
    oldest = standing.get("oldest")
    return Figures(
        depth=standing.get("depth", 0),
        processing=standing.get("processing", 0),
        failed=standing.get("failed", 0),
        oldest_age_seconds=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
        done_recently=recent.get("done", 0),
        seconds_per_item=recent.get("seconds"),
        is_delayed=queue.delayed_since is not None,
    )
