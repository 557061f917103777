"""The pages of measured values: every series with a small chart, one series with a large one, and what the overview shows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from automation.services import metrics
from config.kernel.flow import clock
from config.kernel.plugins.contracts import Panel, panels
from config.kernel.series import Point
from config.look import pages

SEE = "metrics:view"
EXPORTED = {
    "at": lambda point: point.at,
    "value": lambda point: point.value,
    "low": lambda point: point.low,
    "high": lambda point: point.high,
    "count": lambda point: point.count,
}


LISTED = {
    "name": lambda one: one.name,
    "group": lambda one: one.group,
    "value": lambda one: one.value,
    "unit": lambda one: one.fact.unit,
    "about": lambda one: one.fact.about,
    "at": lambda one: one.at,
}


@dataclass(frozen=True)
class Line:
    """One series on the list, with the values of its small chart."""

    reading: metrics.Reading
    values: list[float]


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/system/metrics`"""
    since, until = _period(request)
    found = metrics.standing()
    asked = request.GET.get("q", "").strip().lower()[:80]
    named = {
        title: [one for one in readings if asked in f"{one.name} {one.fact.about}".lower()] for title, readings in found.groups().items()
    }
    file = pages.export(request, [one for readings in named.values() for one in readings], LISTED, name="metrics")
    if file is not None:
        return file
    small = metrics.small_histories(since, until)
    groups = [(title, [Line(one, small.get(one.name, [])) for one in readings]) for title, readings in named.items()]
    shown = {"standing": found, "groups": [group for group in groups if group[1]], "is_filtered": bool(asked), **_range(request)}
    return pages.draw(request, "automation/metrics.html", shown)


@pages.page(SEE)
def detail(request: HttpRequest, name: str) -> HttpResponseBase:
    """`/system/metrics/<name>`: the large chart, and the table behind it."""
    one = metrics.reading(name)
    since, until = _period(request)
    standing = metrics.standing()
    seconds, points = metrics.history(name, since, until)
    file = pages.export(request, points, EXPORTED, name=name)
    if file is not None:
        return file
    shown = {
        "reading": one,
        "points": points,
        "newest": points[:-201:-1],
        "seconds": seconds,
        "since": since,
        "until": until,
        "summary": _summary(points),
        "is_stale": standing.is_stale,
        "step": seconds or standing.interval_seconds,
        **_range(request),
    }
    return pages.draw(request, "automation/metric.html", shown)


@pages.page(SEE)
def data(request: HttpRequest, name: str) -> HttpResponse:
    """`/system/metrics/<name>/data`: what the chart is drawn of, column by column; null where there is a gap."""
    one = metrics.reading(name)
    since, until = _period(request)
    seconds, points = metrics.history(name, since, until)
    rows = list(_with_gaps(points, seconds or metrics.standing().interval_seconds))
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
    about = {"name": name, "unit": one.fact.unit, "seconds": seconds, "from": since.timestamp(), "to": until.timestamp()}
    return JsonResponse({**about, "columns": columns})


def _with_gaps(points: list[Point], step: float) -> Any:
    """Rows of time, mean, low, high; between points that are more than two steps apart one without values, so that no line joins them."""
    before: datetime | None = None
    for point in points:
        if before is not None and (point.at - before).total_seconds() > 2.5 * step:
            yield (before + timedelta(seconds=step)).timestamp(), None, None, None
        yield point.at.timestamp(), point.value, point.low, point.high
        before = point.at


def _summary(points: list[Point]) -> Mapping[str, float | None]:
    count = sum(point.count for point in points)
    if not count:
        return {"mean": None, "low": None, "high": None, "count": 0}
    mean = sum(point.value * point.count for point in points) / count
    return {"mean": mean, "low": min(point.low for point in points), "high": max(point.high for point in points), "count": count}


def _period(request: HttpRequest) -> tuple[datetime, datetime]:
    return metrics.period(pages.since(request), pages.since(request, "until"))


def _range(request: HttpRequest) -> dict[str, Any]:
    """What the time range picker shows; a fixed end is no range that goes on."""
    given = request.GET.get("since", "") or "1h"
    is_live = not request.GET.get("until") and given in pages.WINDOWS
    return {"windows": [(word, label) for word, (_, label) in pages.WINDOWS.items()], "window": given, "is_live": is_live}


def now_panel(request: HttpRequest) -> Mapping[str, Any]:
    """The first numbers as they stand, with the last hour of each."""
    found = metrics.standing()
    until = clock.now()
    small = metrics.small_histories(until - timedelta(hours=1), until)
    by_name = {one.name: one for one in found.readings}
    return {"standing": found, "lines": [Line(by_name[name], small.get(name, [])) for name in metrics.FIRST if name in by_name]}


panels.register("automation.now", Panel("This installation now", "automation/_panel_now.html", now_panel, 5, SEE))
