"""What webhooks contributes to a report: deliveries, attempts and receipts of a period. Registered by `webhooks.apps`."""

from typing import Any

from django.db.models import Count, Q

from config.acts.plugins.reporters import Chart, Figure, Part, Period, Table
from webhooks.enums import DeliveryStatus, ReceiptStatus
from webhooks.models import Attempt, Delivery, Receipt
from webhooks.services import stats

MOST = 15
BECAME = {"ok": "delivered", "bad": "dead", "held": "open", "off": "cancelled"}


def part(period: Period) -> Part:
    """Rows made within the period, by what has become of them; latency of the replies since its beginning."""
    made = Delivery.objects.filter(created_at__gte=period.since, created_at__lt=period.until)
    counts = made.aggregate(total=Count("pk"), **stats.COUNTS)
    ended = counts["delivered"] + counts["dead"]
    came = Receipt.objects.filter(created_at__gte=period.since, created_at__lt=period.until)
    receipts = came.aggregate(total=Count("pk"), accepted=Count("pk", filter=Q(status=ReceiptStatus.ACCEPTED)), refused=_refused())
    attempts = Attempt.objects.filter(created_at__gte=period.since, created_at__lt=period.until)
    speed = stats.latency(since=period.since)
    figures = [
        Figure("deliveries", "Deliveries", counts["total"]),
        Figure("deliveries_delivered", "Delivered", counts["delivered"]),
        Figure("deliveries_dead", "Became dead letters", counts["dead"]),
        Figure("deliveries_pending", "Still open", counts["pending"]),
        Figure("deliveries_success_rate", "Success rate", counts["delivered"] / ended if ended else None, "%"),
        Figure("attempts", "Attempts", attempts.count()),
        Figure("latency_p50", "Half of the replies came within", speed.p50 if speed else None, "ms"),
        Figure("latency_p99", "99 of 100 replies came within", speed.p99 if speed else None, "ms"),
        Figure("receipts", "Requests that came in", receipts["total"]),
        Figure("receipts_accepted", "Requests accepted", receipts["accepted"]),
        Figure("receipts_rejected", "Requests refused", receipts["refused"]),
    ]
    return Part("Webhooks", figures, [_chart(period)], _tables(made))


def _refused() -> Count:
    return Count("pk", filter=Q(status=ReceiptStatus.REJECTED))


def _chart(period: Period) -> Chart:
    points = {point.at: point for point in stats.series(since=period.since, until=period.until, step=period.step)}
    steps = list(period.steps())
    names = {"ok": "delivered", "bad": "dead", "held": "pending", "off": "cancelled"}
    amounts = {tone: [getattr(points.get(step), name, 0) for step in steps] for tone, name in names.items()}
    return Chart(f"Deliveries by the {period.step}", [period.label(step) for step in steps], amounts, BECAME)


def _tables(made: Any) -> list[Table]:
    dead = Count("pk", filter=Q(status=DeliveryStatus.DEAD))
    rows = made.order_by().values("endpoint__uid", "endpoint__description").annotate(number=Count("pk"), dead=dead)
    cells = [[row["endpoint__uid"], row["endpoint__description"], row["number"], row["dead"]] for row in rows.order_by("-number")[:MOST]]
    return [Table("By endpoint", ["Endpoint", "Description", "Deliveries", "Dead"], cells)] if cells else []
