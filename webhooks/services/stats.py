"""The numbers of webhooks, each equal to a count of rows that are kept. Called by the API, the dashboard, reports and the façade."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True)
class Point:
    """Deliveries made in one minute, hour or day from `at`, by what has become of them."""

    at: datetime
    delivered: int
    dead: int
    cancelled: int
    pending: int


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
    found: Any = rows.annotate(at=STEPS[step]("created_at")).values("at").annotate(**COUNTS).order_by("at")
    return [Point(row["at"], row["delivered"], row["dead"], row["cancelled"], row["pending"]) for row in found]


def by_endpoint() -> dict[int, dict[str, Any]]:
    """Counts and success rate of every endpoint that has deliveries, by its key: one query for a whole list."""
    found: Any = Delivery.objects.order_by().values("endpoint_id").annotate(**COUNTS)
    return {row.pop("endpoint_id"): {**row, "success_rate": _rate(row)} for row in found}


def _counts(rows: "QuerySet[Delivery]") -> dict[str, int]:
    return rows.aggregate(**COUNTS)


def _rate(counts: Mapping[str, int]) -> float:
    ended = counts["delivered"] + counts["dead"]
    return counts["delivered"] / ended if ended else 0.0


def _seconds(attempts: "QuerySet[Attempt]") -> float:
    average = attempts.filter(status_code__isnull=False).aggregate(value=Avg("duration_ms"))["value"]
    return (average or 0.0) / 1000
