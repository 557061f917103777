"""Snapshots as they are written and read back, whole or as the history of one name. Called through `config.kernel.series`."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.fields.json import KeyTransform

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.models import Rollup, Snapshot

MINUTE, HOUR = 60, 3600
MOST_POINTS = 500
# Wider than this an hour is detail enough.
BY_HOUR = timedelta(days=3)


@dataclass(frozen=True)
class Point:
    """The mean of the samples in the span that begins at `at`, their extremes, and how many they are; a raw sample is its own span."""

    at: datetime
    value: float
    low: float
    high: float
    count: int = 1


def interval() -> int:
    """Seconds between two ticks: AUTOMATION_CHECK_INTERVAL."""
    return int(options.get("AUTOMATION_CHECK_INTERVAL"))


def floor(moment: datetime, seconds: int) -> datetime:
    """The begin of the span of so many seconds that `moment` is in, counted from midnight of 1 January 1970 UTC."""
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def record(values: Mapping[str, float | None], at: datetime | None = None) -> datetime:
    """Keep what was measured at `at` (now: the present tick); values of the same moment are merged. What is no finite number is
    left out. Returns the moment."""
    from config.kernel.series import rollups

    at, found = at or floor(clock.now(), interval()), cleaned(values)
    if not found:
        return at
    if not write(Snapshot(at=at, values=found)):
        with transaction.atomic():
            row = Snapshot.objects.select_for_update().get(at=at)
            row.values = {**row.values, **found}
            row.save(update_fields=["values"])
    rollups.redo(at)
    return at


def write(row: Snapshot) -> bool:
    """Store a snapshot. False when there is one of the same moment: somebody was first."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def cleaned(values: Mapping[str, float | None]) -> dict[str, float]:
    """Without what JSON and a chart cannot hold."""
    return {name[:128]: value for name, value in values.items() if isinstance(value, int | float) and math.isfinite(value)}


def latest() -> tuple[datetime, dict[str, float]] | None:
    """The newest snapshot, however old it is; None before the first."""
    return Snapshot.objects.filter(at__lte=clock.now()).order_by("-at").values_list("at", "values").first()


def snapshots(since: datetime, until: datetime) -> Iterator[tuple[datetime, dict[str, float]]]:
    """Every snapshot from `since` to `until`, both included, the oldest first."""
    rows = Snapshot.objects.filter(at__gte=since, at__lte=until).order_by("at")
    return iter(rows.values_list("at", "values").iterator(chunk_size=500))


def history(name: str, since: datetime, until: datetime, *, seconds: int | None = None) -> list[Point]:
    """What `name` did from `since` to `until`, oldest first; a gap has no points. Without `seconds` the spans are chosen so that
    there are at most about 500; 0 gives every sample that is still kept."""
    step = choose_step(since, until) if seconds is None else seconds
    found: list[Point] = []
    start = since
    for length in (HOUR, MINUTE):
        if step >= length:
            found += _rolled(name, length, start, until)
            start = max(start, _rolled_until(length) or start)
    found += _raw(name, start, until)
    return list(_grouped(found, step)) if step else found


def choose_step(since: datetime, until: datetime) -> int:
    """Seconds of the spans of a history: 0 for raw samples, else a multiple of a minute or an hour that is still kept."""
    age, wide = clock.now() - since, until - since
    raw, minutes = (timedelta(days=options.get(f"{kind}_RETENTION_DAYS")) for kind in ("SAMPLE", "MINUTE"))
    if age > minutes or wide > BY_HOUR:
        base = HOUR
    elif age > raw or wide.total_seconds() > MOST_POINTS * interval():
        base = MINUTE
    else:
        return 0
    return max(1, math.ceil(wide.total_seconds() / MOST_POINTS / base)) * base


def _rolled(name: str, length: int, since: datetime, until: datetime) -> list[Point]:
    rows = Rollup.objects.filter(name=name, seconds=length, at__gte=floor(since, length), at__lte=until).order_by("at")
    return [
        Point(at, total / count, low, high, count) for at, count, total, low, high in rows.values_list("at", "count", "sum", "min", "max")
    ]


def _rolled_until(length: int) -> datetime | None:
    """The end of what is rolled up; what comes later is read from finer rows."""
    at: datetime | None = Rollup.objects.filter(seconds=length).aggregate(at=Max("at"))["at"]
    return at and at + timedelta(seconds=length)


def _raw(name: str, since: datetime, until: datetime) -> list[Point]:
    rows: Any = Snapshot.objects.filter(at__gte=since, at__lte=until).order_by("at")
    found = rows.annotate(value=KeyTransform(name, "values")).values_list("at", "value")
    return [Point(at, value, value, value) for at, value in found if value is not None]


def _grouped(points: Iterable[Point], step: int) -> Iterator[Point]:
    spans: dict[datetime, list[Point]] = {}
    for point in points:
        spans.setdefault(floor(point.at, step), []).append(point)
    for at, inside in spans.items():
        count = sum(point.count for point in inside)
        mean = sum(point.value * point.count for point in inside) / count
        yield Point(at, mean, min(point.low for point in inside), max(point.high for point in inside), count)
