"""Measured values as people and programs ask for them: which there are, how they stand, what they did. Called by API, pages and command."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, NotFound, capture
from config.kernel.language.facts import Fact
from config.kernel.models import Rollup
from config.kernel.plugins.samplers import samplers
from config.kernel.series import Point, store

OTHER = "Other"
# What the first lines of a page and of an answer are about.
FIRST = ("cpu_usage", "memory_usage", "disk_usage", "requests_per_second", "response_time", "error_rate", "active_users", "queue_depth")
RATES = ("events_per_second", "requests_per_second", "receipts_per_second", "deliveries_per_second", "tasks_per_second")
# A value that is older than so many intervals says nothing of now.
STALE_INTERVALS = 3
# Small charts of a longer time are drawn of hours.
SMALL_OF_SAMPLES = timedelta(hours=1)
SMALL_POINTS = 60


@dataclass(frozen=True)
class Reading:
    """One series: what it means, who measures it, and how it stood at the last sample; None where that has a gap."""

    fact: Fact
    group: str
    value: float | None
    at: datetime | None

    @property
    def name(self) -> str:
        """As conditions write it."""
        return self.fact.name


@dataclass(frozen=True)
class Standing:
    """All series at the last sample."""

    at: datetime | None
    age_seconds: float | None
    interval_seconds: int
    readings: Sequence[Reading]

    @property
    def is_stale(self) -> bool:
        """Whether nothing was measured for several intervals: the schedule or the workers stand still."""
        return self.age_seconds is None or self.age_seconds > STALE_INTERVALS * self.interval_seconds + 5

    def value(self, name: str) -> float | None:
        """The value of one name, or None."""
        return next((one.value for one in self.readings if one.name == name), None)

    def groups(self) -> dict[str, list[Reading]]:
        """By who measures them, in the order of the samplers."""
        found: dict[str, list[Reading]] = {}
        for one in self.readings:
            found.setdefault(one.group, []).append(one)
        return found


def standing() -> Standing:
    """Every series that is known or was measured last, grouped and by name."""
    found = series.latest()
    at, values = found or (None, {})
    facts = {fact.name: fact for fact in series.facts() if "<" not in fact.name}
    facts.update({name: series.fact(name) or Fact(name) for name in values if name not in facts})
    groups = _groups()
    # The groups of the first names come first.
    titles = [_group_of(name, groups) for name in FIRST if name in facts] + list(groups.values())
    order = {title: place for place, title in enumerate(dict.fromkeys(titles))}
    readings = [Reading(fact, _group_of(name, groups), values.get(name), at) for name, fact in facts.items()]
    readings.sort(key=lambda one: (order.get(one.group, len(order)), one.name not in FIRST, one.name))
    age = round((clock.now() - at).total_seconds(), 3) if at else None
    return Standing(at, age, store.interval(), readings)


def reading(name: str) -> Reading:
    """One series. Raises NotFound, with the names that look alike, for one that nobody measures and nobody measured."""
    found = next((one for one in standing().readings if one.name == name), None)
    if found is None and (known := series.fact(name)) is not None:
        found = Reading(known, _group_of(name, _groups()), None, None)
    if found is None and (at := Rollup.objects.filter(name=name).order_by("-at").values_list("at", flat=True).first()):
        found = Reading(Fact(name, about="Nobody measures this any more."), OTHER, None, at)
    if found is None:
        near = difflib.get_close_matches(name, [one.name for one in standing().readings], n=3)
        hint = f"Did you mean {', '.join(near)}?" if near else "The list of metrics has all names."
        raise NotFound(f"Nothing measures {name!r}. {hint}")
    return found


def period(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when to when a history is asked for; the last hour when nothing says otherwise. Raises InvalidInput."""
    end = until or clock.now()
    try:
        begin = since or end - timedelta(hours=1)
    except OverflowError:  # the year 1 has no hour before it
        raise InvalidInput("Nothing was measured before that time. Give a later `until`.", fields={"until": ["Too early."]}) from None
    if begin >= end:
        raise InvalidInput("The time asked for ends before it begins. Give a `since` before `until`.", fields={"since": ["Too late."]})
    if end - begin > timedelta(days=options.get("HOUR_RETENTION_DAYS") + 1):
        raise InvalidInput("Nothing is kept for so long. Ask for a shorter time.", fields={"since": ["Too early."]})
    return begin, end


def history(name: str, since: datetime, until: datetime, *, seconds: int | None = None) -> tuple[int, list[Point]]:
    """The length of the spans (0: single samples) and the points."""
    step = store.choose_step(since, until) if seconds is None else seconds
    return step, series.history(name, since, until, seconds=step)


def small_histories(since: datetime, until: datetime) -> dict[str, list[float]]:
    """A few dozen values of every series at once, for small charts: one statement whatever their number."""
    found: dict[str, list[float]] = {}
    if until - since <= SMALL_OF_SAMPLES:
        snapshots = list(series.snapshots(since, until))
        for _, values in snapshots[:: max(1, len(snapshots) // SMALL_POINTS)]:
            _add(found, values)
        return found
    rows = Rollup.objects.filter(seconds=store.HOUR, at__gte=since, at__lte=until).order_by("at")
    for name, count, total in rows.values_list("name", "count", "sum"):
        _add(found, {name: total / count})
    return found


def _add(found: dict[str, list[float]], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        found.setdefault(name, []).append(value)


def _groups() -> dict[str, str]:
    """Declared name, or family, → title of its sampler."""
    found: dict[str, str] = {}
    for key, sampler in samplers.all().items():
        with capture("sampler.facts_failed", log_every_seconds=60, sampler=key):
            for fact in sampler.facts():
                found.setdefault(fact.name, sampler.title or key)
    return found


def _group_of(name: str, groups: Mapping[str, str]) -> str:
    if name in groups:
        return groups[name]
    return next((title for family, title in groups.items() if "<" in family and name.startswith(family.partition("<")[0])), OTHER)
