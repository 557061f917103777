"""What a part of a report is made of, and the registry of those who contribute one. Registered by apps, asked by whoever makes reports."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from config.kernel.plugins.registry import Registry

KINDS = ("system", "webhooks", "automation", "workflows", "healing")
# Up to so long a period is told by the hour, beyond it by the day.
HOURLY = timedelta(hours=49)


@dataclass(frozen=True)
class Period:
    """From when (inclusive) to when (exclusive), UTC."""

    since: datetime
    until: datetime

    @property
    def step(self) -> Literal["hour", "day"]:
        """What one column of a chart stands for."""
        return "hour" if self.until - self.since <= HOURLY else "day"

    def steps(self) -> Iterator[datetime]:
        """The beginning of each hour or day that the period touches, oldest first."""
        at = self.since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        at = at if self.step == "hour" else at.replace(hour=0)
        while at < self.until:
            yield at
            at += timedelta(hours=1) if self.step == "hour" else timedelta(days=1)

    def label(self, at: datetime) -> str:
        """What stands below a column."""
        return at.strftime("%d %b %H:00 UTC" if self.step == "hour" else "%d %b %Y")


@dataclass(frozen=True)
class Figure:
    """One number: a name for programs, a label for people, the value (None: nothing to measure) and its unit (`%` of 0 to 1, `ms`, …)."""

    name: str
    label: str
    value: float | None
    unit: str = ""


@dataclass(frozen=True)
class Chart:
    """Columns over time: for each tone (`ok, bad, held, off` or an empty one) as many amounts as there are labels, and its word."""

    title: str
    labels: Sequence[str]
    parts: Mapping[str, Sequence[float]]
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows of texts and numbers under their heads; `units`, where they are given: of the numbers of each row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float | None]]
    units: Sequence[str] = ()


@dataclass(frozen=True)
class Part:
    """What one app has to say of a period."""

    title: str
    figures: Sequence[Figure] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    note: str = ""


@dataclass(frozen=True)
class Reporter:
    """Contributes a part to reports of a kind, one of KINDS; several may, in the order of `order`."""

    kind: str
    make: Callable[[Period], Part]
    order: int = 100


reporters: Registry[Reporter] = Registry("reporters")
