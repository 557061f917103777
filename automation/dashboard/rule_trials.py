"""Trying a rule and testing it back on the dashboard: what it would do, and when it would have. Nothing happens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase

from automation.dashboard.rules import SEE, TONES, one
from automation.enums import Mode, Reason, Result
from automation.models import Rule
from automation.services.judging import arming, trials
from automation.services.judging.trials import COLUMNS, Tested
from config.doors.filters import moment
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, NotFound
from config.kernel.models import Event
from config.look import pages
from config.look.charts import Bar

LATEST, BUDGET_SECONDS = 12, 8.0
WINDOWS = (("1h", "last hour"), ("24h", "last 24 hours"), ("7d", "last 7 days"), ("30d", "last 30 days"))
WAS = {"ok": "would have fired", "held": "held back"}


@pages.page(SEE)
def attempt(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/rules/<uid>/try?event=` on that event, `?now=1` on the present values."""
    rule = one(uid)
    asked = request.GET.get("event", "").strip()
    patterns = listens(rule)
    shown: dict[str, Any] = {"rule": rule, "patterns": patterns, "asked": asked, "is_now": "now" in request.GET, "off": Mode.OFF}
    try:
        if asked:
            shown["event"] = _event(asked)
            shown["tried"] = trials.try_event(rule, shown["event"])
        elif "now" in request.GET or not patterns:
            shown["tried"], shown["is_now"] = trials.try_now(rule), True
    except (InvalidInput, NotFound) as error:
        shown["problem"] = error.message
    if "tried" in shown:
        shown["tone"] = TONES[Result(shown["tried"].result)]
    shown["events"] = _latest(patterns)
    return pages.draw(request, "automation/rule_try.html", shown)


@pages.page(SEE)
def back_test(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/rules/<uid>/back-test?window=24h`, or `?since=…&until=…`"""
    rule = one(uid)
    shown: dict[str, Any] = {"rule": rule, "windows": WINDOWS, "window": request.GET.get("window", "")}
    if any(request.GET.get(name) for name in ("window", "since", "until")):
        try:
            since, until = _span(request)
            tested = trials.back_test(rule, since=since, until=until, budget_seconds=BUDGET_SECONDS)
        except InvalidInput as error:
            shown["problem"] = error.message
        else:
            shown |= {"tested": tested, "bars": list(bars(tested)), "was": WAS, **_told(tested)}
    return pages.draw(request, "automation/rule_back_test.html", shown)


def listens(rule: Rule) -> list[str]:
    """The events that its trigger hears."""
    return list(arming.arm(rule).hears)


def bars(tested: Tested) -> Iterator[Bar]:
    """When it would have fired, and when it was held back, in equal parts of the window."""
    step = (tested.until - tested.since) / COLUMNS
    form = "%d %b %H:%M" if tested.until - tested.since > timedelta(hours=20) else "%H:%M"
    for index in range(COLUMNS):
        at = (tested.since + index * step).astimezone(UTC)
        yield Bar(f"{at.strftime(form)} UTC", {"ok": tested.fired_in[index], "held": tested.held_in[index]})


def _told(tested: Tested) -> dict[str, Any]:
    held = [(Reason(reason).label, count) for reason, count in tested.held.most_common()]
    results = [(Result(result).label, TONES[Result(result)], count) for result, count in tested.results.most_common()]
    share = (tested.covered_until - tested.since) / (tested.until - tested.since)
    return {"held": held, "held_count": sum(tested.held.values()), "results": results, "share": min(1.0, max(0.0, share))}


def _event(asked: str) -> Event:
    found: Event = pages.one(Event, asked, what="event")
    return found


def _latest(patterns: list[str]) -> list[Event]:
    """The newest events that such a rule hears."""
    if not patterns:
        return []
    wanted = Q()
    for pattern in patterns:
        if pattern == "*":
            wanted = Q()
            break
        wanted |= Q(type__startswith=pattern[:-1]) if pattern.endswith("*") else Q(type=pattern)
    return list(Event.objects.filter(wanted).defer("body").order_by("-id")[:LATEST])


def _span(request: HttpRequest) -> tuple[datetime, datetime]:
    now = clock.now()
    window = request.GET.get("window", "")
    if window:
        if window not in dict(WINDOWS):
            raise InvalidInput(f"There is no window {window!r}. There are: {', '.join(dict(WINDOWS))}.")
        return now - pages.WINDOWS[window][0], now
    return _moment(request, "since", now - timedelta(hours=24)), _moment(request, "until", now)


def _moment(request: HttpRequest, name: str, otherwise: datetime) -> datetime:
    """A time as `<input type="datetime-local">` sends it, in UTC."""
    given = request.GET.get(name, "").strip()
    if not given:
        return otherwise
    found = moment(given)
    if found is None:
        raise InvalidInput(f"{given[:40]!r} is no time. Write such as 2026-01-31T12:00.")
    return found
