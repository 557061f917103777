"""What webhooks shows on the overview: deliveries over time, latency, and the endpoints that need a person."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils.http import urlencode

from config.kernel.flow import clock
from config.kernel.plugins.contracts import Panel, panels
from config.look.charts import Bar
from webhooks.dashboard import SEE
from webhooks.dashboard.endpoints import Line, lines
from webhooks.enums import OPEN_STATUSES, DeliveryStatus, EndpointStatus
from webhooks.models import Delivery, Endpoint
from webhooks.services import stats
from webhooks.services.stats import Point

HOURS = 24
BECAME = {"ok": "delivered", "bad": "dead", "held": "open", "off": "cancelled"}
ATTENTION_SHOWN = 8


def deliveries(request: HttpRequest) -> Mapping[str, Any]:
    """Deliveries made in each of the last 24 hours by what became of them, the success rate, and percentiles of the replies."""
    now = clock.now()
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    points = {point.at: point for point in stats.series(since=first, until=now + timedelta(hours=1))}
    hours = [first + timedelta(hours=index) for index in range(HOURS)]
    made = list(points.values())
    delivered, dead = sum(point.delivered for point in made), sum(point.dead for point in made)
    return {
        "series": [_bar(hour, points.get(hour)) for hour in hours],
        "became": BECAME,
        "since": clock.text(first),
        "delivered": delivered,
        "total": sum(point.delivered + point.dead + point.cancelled + point.pending for point in made),
        "success_rate": delivered / (delivered + dead) if delivered + dead else None,
        "open": Delivery.objects.filter(status__in=OPEN_STATUSES).count(),
        "dead": Delivery.objects.filter(status=DeliveryStatus.DEAD).count(),
        "latency": stats.latency(since=first),
    }


def _bar(hour: datetime, point: Point | None) -> Bar:
    rows = "/deliveries?" + urlencode({"since": clock.text(hour), "until": clock.text(hour + timedelta(hours=1))})
    parts = {"ok": point.delivered, "bad": point.dead, "held": point.pending, "off": point.cancelled} if point else {"ok": 0, "bad": 0}
    return Bar(hour.strftime("%d %b %H:00 UTC"), parts, rows)


def attention(request: HttpRequest) -> Mapping[str, Any]:
    """Endpoints that fail, are held by their breaker, were disabled, or have dead letters; the worst first."""
    now = clock.now()
    dead = Delivery.objects.filter(status=DeliveryStatus.DEAD).order_by().values("endpoint_id")
    troubled = Q(failing_since__isnull=False) | Q(status=EndpointStatus.DISABLED) | Q(breaker_open_until__gt=now) | Q(pk__in=dead)
    rows = Endpoint.living.filter(troubled).defer("secret", "old_secrets", "signing_key", "headers").order_by("-id")
    found = sorted(lines(list(rows[:100]), now=now), key=_urgency)
    return {"lines": found[:ATTENTION_SHOWN], "more": max(len(found) - ATTENTION_SHOWN, 0), "any": Endpoint.living.exists()}


def _urgency(line: Line) -> tuple[bool, bool, int]:
    return line.endpoint.failing_since is None, line.breaker == "closed", -line.standing.dead


panels.register("webhooks.deliveries", Panel("Deliveries, last 24 hours", "webhooks/_panel_deliveries.html", deliveries, 10, SEE))
panels.register("webhooks.attention", Panel("Endpoints that need you", "webhooks/_panel_attention.html", attention, 20, SEE))
