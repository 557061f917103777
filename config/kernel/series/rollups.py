"""Minutes from snapshots, hours from minutes, and the end of what is old. The duty `kernel.rollup`, once a minute."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from config.kernel.desk import options
from config.kernel.flow import clock, schedules, tidy
from config.kernel.models import Rollup, Snapshot
from config.kernel.plugins.contracts import duties
from config.kernel.series.store import HOUR, MINUTE, floor

# Spans that ended are computed so often again: a tick may be written a little after its minute.
AGAIN = {MINUTE: 3, HOUR: 1}
# Spans a turn, so that the first turn after a standstill is no long transaction.
SPANS = 120
# Counters older than this give no rates any more.
COUNTERS_KEPT = timedelta(minutes=10)
COLUMNS = ("count", "sum", "min", "max", "last")
Span = tuple[str, datetime]
Figures = tuple[int, float, float, float, float]


class Rollups:
    """The duty; it has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `rollup`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """Roll up what ended, and once nothing is left to do remove what has outlived its retention."""
        is_done = all(_advance(length, now) for length in (MINUTE, HOUR))  # no hour before its minutes
        if is_done:
            forget_old(now)
        return 0 if is_done else limit


def forget_old(now: datetime) -> None:
    """Remove what is older than its days, in chunks."""
    tidy.remove(Snapshot.objects.filter(at__lt=now - timedelta(days=options.get("SAMPLE_RETENTION_DAYS"))))
    for length, option in ((MINUTE, "MINUTE_RETENTION_DAYS"), (HOUR, "HOUR_RETENTION_DAYS")):
        tidy.remove(Rollup.objects.filter(seconds=length, at__lt=now - timedelta(days=options.get(option))))
    Snapshot.objects.filter(at__lt=now - COUNTERS_KEPT, measured_at__isnull=False).update(counters={}, measured_at=None)


def redo(at: datetime) -> None:
    """A snapshot of `at` came late: its minute and hour are computed anew where they were already."""
    now = clock.now()
    for length in (MINUTE, HOUR):
        begin = floor(at, length)
        is_past = begin < _first_again(length, now)
        if is_past and Rollup.objects.filter(seconds=length, at__gte=begin).exists():
            roll(length, begin, begin + timedelta(seconds=length))


def _first_again(length: int, now: datetime) -> datetime:
    return floor(now, length) - timedelta(seconds=length * AGAIN[length])


def _advance(length: int, now: datetime) -> bool:
    """Roll up the next spans; whether all that ended are done."""
    rows: Any = Snapshot.objects if length == MINUTE else Rollup.objects.filter(seconds=MINUTE)
    last = Rollup.objects.filter(seconds=length).order_by("-at").values_list("at", flat=True).first()
    unrolled = rows.filter(at__gte=last + timedelta(seconds=length)) if last else rows
    following = unrolled.order_by("at").values_list("at", flat=True).first()
    begin = min(floor(following, length) if following else now, _first_again(length, now))
    ended = floor(now, length)
    end = min(ended, begin + timedelta(seconds=length * SPANS))
    roll(length, begin, end)
    return end >= ended


def roll(length: int, begin: datetime, end: datetime) -> int:
    """Compute the spans from `begin` to `end`, not included, over what was there; how many were. Never replaces more by less: what
    a span was made of may be gone already."""
    found = _of_snapshots(begin, end) if length == MINUTE else _of_minutes(begin, end)
    known = Rollup.objects.filter(seconds=length, at__gte=begin, at__lt=end).values_list("name", "at", "count")
    counts = {(name, at): count for name, at, count in known}
    rows = [
        Rollup(name=span[0], seconds=length, at=span[1], **dict(zip(COLUMNS, figures, strict=True)))
        for span, figures in found.items()
        if figures[0] >= counts.get(span, 0)
    ]
    unique = ["name", "seconds", "at"]
    Rollup.objects.bulk_create(rows, batch_size=tidy.CHUNK // 10, update_conflicts=True, unique_fields=unique, update_fields=COLUMNS)
    return len(rows)


def _of_snapshots(begin: datetime, end: datetime) -> dict[Span, Figures]:
    rows = Snapshot.objects.filter(at__gte=begin, at__lt=end).order_by("at").values_list("at", "values")
    return _summed(((name, floor(at, MINUTE)), (1, value, value, value, value)) for at, values in rows for name, value in values.items())


def _of_minutes(begin: datetime, end: datetime) -> dict[Span, Figures]:
    rows: Any = Rollup.objects.filter(seconds=MINUTE, at__gte=begin, at__lt=end).order_by("at").values_list("name", "at", *COLUMNS)
    return _summed(((name, floor(at, HOUR)), tuple(figures)) for name, at, *figures in rows)


def _summed(parts: Iterable[tuple[Span, Any]]) -> dict[Span, Figures]:
    found: dict[Span, Figures] = {}
    for span, (count, total, low, high, last) in parts:
        one = found.get(span, (0, 0.0, low, high, last))
        found[span] = (one[0] + count, one[1] + total, min(one[2], low), max(one[3], high), last)
    return found


duties.register("kernel.rollup", Rollups())
schedules.every(60, "rollup", args=("kernel.rollup",), about="Makes minutes and hours of samples and removes old ones.")
