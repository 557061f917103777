"""The numbers of webhooks, each equal to a count of rows that are kept. Called by the API, the dashboard, reports and the façade."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import TruncDay, TruncHour, TruncMinute

from webhooks.enums import OPEN_STATUSES, DeliveryStatus, EndpointStatus
from webhooks.models import Attempt, Delivery, Endpoint

STEPS = {"minute": TruncMinute, "hour": TruncHour, "day": TruncDay}
COUNTS = {
    "delivered": Count("pk", filter=Q(status=DeliveryStatus.DELIVERED)),
    "dead": Count("pk", filter=Q(status=DeliveryStatus.DEAD)),
    "cancelled": Count("pk", filter=Q(status=DeliveryStatus.CANCELLED)),
    "pending": Count("pk", filter=Q(status__in=OPEN_STATUSES)),
}
# Percentiles are taken of so many of the latest attempts, which keeps a page cheap however busy the house is.
LATENCY_SAMPLE = 10_000


@dataclass(frozen=True)
class Point:
    """Deliveries made in one minute, hour or day from `at`, by what has become of them."""

    at: datetime
    delivered: int
    dead: int
    cancelled: int
    pending: int


@dataclass(frozen=True)
class Latency:
    """Percentiles, in milliseconds, of `count` attempts that got a reply, whatever it said."""

    p50: float
    p95: float
    p99: float
    count: int


@dataclass(frozen=True)
class Standing:
    """What an endpoint's deliveries come to: ended since a moment, dead and open now, and how fast it answers."""

    delivered: int = 0
    died: int = 0
    dead: int = 0
    open: int = 0
    latency: Latency | None = None

    @property
    def success_rate(self) -> float | None:
        """0 to 1; None when nothing ended."""
        ended = self.delivered + self.died
        return self.delivered / ended if ended else None


def totals() -> dict[str, Any]:
    """S0-87, over all that is kept: rates are fractions 0 to 1, times seconds, numbers even when there is nothing.

    `success_rate`: delivered of delivered and dead. `average_response_time`: of the attempts that got a reply, whatever it said.
    """
    counts = _counts(Delivery.objects.all())
    return {
        "active_webhooks": Endpoint.living.filter(status=EndpointStatus.ACTIVE).count(),
        "success_rate": _rate(counts),
        "pending_deliveries": counts["pending"],
        "dead_deliveries": counts["dead"],
        "average_response_time": _seconds(Attempt.objects.all()),
    }


def waiting() -> dict[str, int]:
    """`pending`: deliveries that are not ended; `dead`: those that were given up and are still kept. One statement on an index."""
    rows = Delivery.objects.filter(status__in=(*OPEN_STATUSES, DeliveryStatus.DEAD))
    return rows.aggregate(pending=COUNTS["pending"], dead=COUNTS["dead"])


def of_endpoint(endpoint: Endpoint) -> dict[str, Any]:
    """Counts of one endpoint's deliveries, with `success_rate` (0 to 1) and `average_response_time` (seconds)."""
    counts = _counts(Delivery.objects.filter(endpoint=endpoint))
    attempts = Attempt.objects.filter(Q(delivery__endpoint=endpoint) | Q(batch__endpoint=endpoint))
    return {**counts, "success_rate": _rate(counts), "average_response_time": _seconds(attempts)}


def series(*, since: datetime, until: datetime, step: str = "hour", endpoint: Endpoint | None = None) -> list[Point]:
    """Deliveries made from `since` until `until`, counted per `minute`, `hour` or `day` (UTC), oldest first; empty ones are left out."""
    rows = Delivery.objects.filter(created_at__gte=since, created_at__lt=until)
    if endpoint is not None:
        rows = rows.filter(endpoint=endpoint)
    found: Any = rows.annotate(at=STEPS[step]("created_at", tzinfo=UTC)).values("at").annotate(**COUNTS).order_by("at")
    return [Point(row["at"], row["delivered"], row["dead"], row["cancelled"], row["pending"]) for row in found]


def by_endpoint() -> dict[int, dict[str, Any]]:
    """Counts and success rate of every endpoint that has deliveries, by its key: one query for a whole list."""
    found: Any = Delivery.objects.order_by().values("endpoint_id").annotate(**COUNTS)
    return {row.pop("endpoint_id"): {**row, "success_rate": _rate(row)} for row in found}


def standings(endpoints: Sequence[Endpoint], *, since: datetime) -> dict[int, Standing]:
    """How these endpoints stand, by key: three statements for a whole list, each on an index."""
    keys = [endpoint.pk for endpoint in endpoints]
    rows = Delivery.objects.filter(endpoint__in=keys).order_by()
    ended = _by_key(rows.filter(finished_at__gte=since), delivered=COUNTS["delivered"], died=COUNTS["dead"])
    now = _by_key(rows.filter(status__in=(*OPEN_STATUSES, DeliveryStatus.DEAD)), dead=COUNTS["dead"], open=COUNTS["pending"])
    speed = latency_by_endpoint(since=since)
    return {key: Standing(**ended.get(key, {}), **now.get(key, {}), latency=speed.get(key)) for key in keys}


def latency(*, since: datetime, endpoint: Endpoint | None = None) -> Latency | None:
    """Percentiles over the latest LATENCY_SAMPLE attempts since then, of one endpoint or of all; None when there were none."""
    attempts = _answered(since)
    if endpoint is not None:
        attempts = attempts.filter(Q(delivery__endpoint=endpoint) | Q(batch__endpoint=endpoint))
    return _latency(attempts.values_list("duration_ms", flat=True)[:LATENCY_SAMPLE])


def latency_by_endpoint(*, since: datetime) -> dict[int, Latency]:
    """The same by key of the endpoint, in one statement."""
    found: dict[int, list[float]] = defaultdict(list)
    for alone, batched, length in _answered(since).values_list("delivery__endpoint_id", "batch__endpoint_id", "duration_ms")[
        :LATENCY_SAMPLE
    ]:
        found[alone or batched].append(length)
    return {key: measured for key, lengths in found.items() if (measured := _latency(lengths))}


def _answered(since: datetime) -> "QuerySet[Attempt]":
    return Attempt.objects.filter(created_at__gte=since, status_code__isnull=False).order_by("-id")


def _latency(lengths: Iterable[float]) -> Latency | None:
    """Nearest rank: a percentile is always a length that was measured."""
    ordered = sorted(lengths)
    if not ordered:
        return None
    p50, p95, p99 = (ordered[max(0, -(-len(ordered) * share // 100) - 1)] for share in (50, 95, 99))
    return Latency(p50, p95, p99, len(ordered))


def _by_key(rows: "QuerySet[Delivery]", **counted: Any) -> dict[int, dict[str, int]]:
    found: Any = rows.values("endpoint_id").annotate(**counted)
    return {row.pop("endpoint_id"): row for row in found}


def _counts(rows: "QuerySet[Delivery]") -> dict[str, int]:
    return rows.aggregate(**COUNTS)


def _rate(counts: Mapping[str, int]) -> float:
    ended = counts["delivered"] + counts["dead"]
    return counts["delivered"] / ended if ended else 0.0


def _seconds(attempts: "QuerySet[Attempt]") -> float:
    average = attempts.filter(status_code__isnull=False).aggregate(value=Avg("duration_ms"))["value"]
    return (average or 0.0) / 1000
