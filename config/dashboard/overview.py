"""The home page: is it well, and what needs me? Health, what waits for a person, events over time, panels of the apps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.models import Event, Notification, RouteFailure
from config.kernel.plugins.contracts import Panel, panels
from config.kernel.watch import health, notifications
from config.look import pages
from config.look.charts import Bar

HOURS = 24


@dataclass(frozen=True)
class Drawn:
    """A panel of an app, drawn; an empty `html` means that it could not be."""

    title: str
    html: SafeString | str


@pages.page("metrics:view")
def overview(request: HttpRequest) -> HttpResponse:
    """`/`"""
    now = clock.now()
    may_see_events = permissions.may(request.user, "webhooks:view")
    shown = {
        "report": health.report(),
        "waiting": _waiting_for_a_person() if permissions.may(request.user, "alerts:view") else [],
        "events": _events(now) if may_see_events else None,
        "panels": _drawn_panels(request),
    }
    return pages.draw(request, "dashboard/overview.html", shown)


@pages.page()
def health_corner(request: HttpRequest) -> HttpResponse:
    """The fragment in the corner of every page."""
    report = health.report() if permissions.may(request.user, "metrics:view") else None
    return render(request, "dashboard/_health.html", {"report": report})


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light, dark, as the machine has it: the next one, for those without JavaScript."""
    chosen = {"light": "dark", "dark": "auto"}.get(request.COOKIES.get("theme", ""), "light")
    response = HttpResponseRedirect(pages.came_from(request))
    response.set_cookie("theme", chosen, max_age=365 * 86400, samesite="Lax", secure=request.is_secure())
    return response


def _waiting_for_a_person() -> Sequence[Notification]:
    urgent = [Notification.Urgency.HIGH, Notification.Urgency.CRITICAL]
    return list(notifications.unread().filter(urgency__in=urgent)[:5])


def _events(now: datetime) -> dict[str, object]:
    series = _by_hour(now)
    unrouted = Event.objects.filter(routed_at__isnull=True).order_by()[: pages.COUNT_LIMIT].count()
    return {
        "series": series,
        "since": clock.text(_first_hour(now)),
        "total": int(sum(bar.total for bar in series)),
        "last_hour": Event.objects.filter(created_at__gte=now - timedelta(hours=1)).count(),
        "unrouted": unrouted,
        "failures": RouteFailure.objects.order_by().values("event").distinct().count(),
    }


def _by_hour(now: datetime) -> list[Bar]:
    """Events in each of the last 24 hours, the current one included, oldest first."""
    first = _first_hour(now)
    rows = Event.objects.filter(created_at__gte=first).order_by().annotate(hour=TruncHour("created_at", tzinfo=UTC))
    counts = {row["hour"]: row["count"] for row in rows.values("hour").annotate(count=Count("id"))}
    hours = [first + timedelta(hours=index) for index in range(HOURS)]
    return [Bar(hour.strftime("%d %b %H:00 UTC"), {"": counts.get(hour, 0)}, _rows_behind(hour)) for hour in hours]


def _first_hour(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def _rows_behind(hour: datetime) -> str:
    return "/events?" + urlencode({"since": clock.text(hour), "until": clock.text(hour + timedelta(hours=1))})


def _drawn_panels(request: HttpRequest) -> list[Drawn]:
    shown = [panel for panel in panels.all().values() if not panel.scope or permissions.may(request.user, panel.scope)]
    return [_drawn(request, panel) for panel in sorted(shown, key=lambda panel: (panel.order, panel.title))]


def _drawn(request: HttpRequest, panel: Panel) -> Drawn:
    """One panel that cannot be drawn must not take the page with it."""
    with capture("panel.failed", panel=panel.title):
        return Drawn(panel.title, render_to_string(panel.template, dict(panel.context(request)), request))
    return Drawn(panel.title, "")
