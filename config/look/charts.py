"""Small charts as SVG text, drawn on the server: colours come from classes, so that no inline style is needed.

Called by the template tags `bars`, `sparkline`, `strip` and `phases`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT = 48
STEP = 10
# What the parts of a column are called where the caller gives no words of its own.
WORDS = {"ok": "well", "bad": "failed", "held": "held", "off": "other"}


@dataclass(frozen=True)
class Bar:
    """One column: what it stands for, its parts from the ground up (tone → amount), and the rows behind it.

    Tones are `ok, bad, held, off` or an empty string for the plain colour.
    """

    label: str
    parts: Mapping[str, float] = field(default_factory=dict)
    url: str = ""

    @property
    def total(self) -> float:
        """All parts together."""
        return sum(self.parts.values())


def bars(series: Sequence[Bar], *, label: str, words: Mapping[str, str] = WORDS) -> SafeString:
    """Columns side by side, as high as the highest; each tells its numbers on hover and links to its rows."""
    top = max((bar.total for bar in series), default=0) or 1
    columns = [_column(bar, index * STEP, top, words) for index, bar in enumerate(series)]
    width = max(len(series), 1) * STEP
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        '<line class="ground" x1="0" x2="{}" y1="{}" y2="{}"/></svg>',
        width,
        HEIGHT,
        label,
        SafeString("".join(columns)),
        width,
        HEIGHT,
        HEIGHT,
    )


def _column(bar: Bar, left: int, top: float, words: Mapping[str, str]) -> SafeString:
    drawn, ground = [], float(HEIGHT)
    for tone, amount in bar.parts.items():
        if amount <= 0:
            continue
        # A single event beside thousands is still to be seen.
        high = max(amount / top * (HEIGHT - 2), 1.5)
        ground = max(ground - high, 0)
        drawn.append((_bar_class(tone), left + 1, round(ground, 2), STEP - 2, round(high, 2)))
    rects = format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>', drawn)
    inside = format_html(
        '<title>{}</title><rect class="hit" x="{}" y="0" width="{}" height="{}"/>{}',
        f"{bar.label}: {_spoken(bar, words)}",
        left,
        STEP,
        HEIGHT,
        rects,
    )
    if bar.url:
        return format_html('<a href="{}" tabindex="-1">{}</a>', bar.url, inside)
    return format_html("<g>{}</g>", inside)


def legend(tones: Sequence[str], words: Mapping[str, str] = WORDS) -> SafeString:
    """Which colour stands for which word; nothing for a chart of one colour."""
    if len(tones) < 2:
        return SafeString("")
    entries = format_html_join(
        "",
        '<span><svg class="chart" viewBox="0 0 10 10" aria-hidden="true"><rect class="{}" width="10" height="10" rx="2"/></svg>{}</span>',
        ((_bar_class(tone), words.get(tone, tone)) for tone in tones),
    )
    return format_html('<div class="legend">{}</div>', entries)


def _spoken(bar: Bar, words: Mapping[str, str]) -> str:
    named = [f"{amount:,g} {words[tone]}" for tone, amount in bar.parts.items() if tone in words]
    return ", ".join(named) or f"{bar.total:,g}"


def _bar_class(tone: str) -> str:
    return f"bar bar--{tone}" if tone else "bar"


def sparkline(values: Sequence[float], *, label: str = "") -> SafeString:
    """A line through the values, the newest at the right; an empty string below two of them."""
    if len(values) < 2:
        return SafeString("")
    low, high = min(values), max(values)
    span = (high - low) or 1
    step = 96 / (len(values) - 1)
    points = " ".join(f"{index * step:.1f},{22 - (value - low) / span * 20:.1f}" for index, value in enumerate(values))
    return format_html(
        '<svg class="spark" viewBox="0 0 96 24" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<polygon points="0,24 {} 96,24"/><polyline points="{}"/></svg>',
        label or f"from {values[0]:,g} to {values[-1]:,g}",
        points,
        points,
    )


def line(
    points: Sequence[Any], since: datetime, until: datetime, *, label: str, step: float, shown: Callable[[float], str], percent: bool
) -> SafeString:
    """Means as a line over the band of their extremes, with the scale at the left and the times below. Lines end where points are more
    than two and a half `step` seconds apart; a percentage keeps its whole scale."""
    low = min([0.0, *(point.low for point in points)])
    high = 100.0 if percent else max((point.high for point in points), default=0.0) or 1.0
    high = max([high, *(point.high for point in points)])
    wide, tall = (until - since).total_seconds() or 1.0, (high - low) or 1.0

    def place(at: datetime, value: float) -> str:
        across = min(1.0, max(0.0, (at - since).total_seconds() / wide))  # a point just outside would widen the page
        return f"{across * 1000:.1f},{200 - (value - low) / tall * 200:.1f}"

    drawn = []
    for run in _runs(points, step):
        band = [place(point.at, point.high) for point in run] + [place(point.at, point.low) for point in reversed(run)]
        drawn.append(format_html('<polygon points="{}"/><polyline points="{}"/>', " ".join(band), _path(run, place)))
    grid = format_html_join("", '<line x1="0" x2="1000" y1="{}" y2="{}"/>', ((y, y) for y in (0, 50, 100, 150, 200)))
    scale = format_html_join("", "<span>{}</span>", ((shown(high - tall * share / 4),) for share in range(5)))
    return format_html(
        '<div class="plot"><div class="plot__scale" aria-hidden="true">{}</div><svg class="plot__lines" viewBox="0 0 1000 200" '
        'preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg></div>',
        scale,
        label,
        grid,
        SafeString("".join(drawn)),
    )


def _path(run: Sequence[Any], place: Callable[[datetime, float], str]) -> str:
    """One point alone is drawn as a short stroke, so that it is to be seen."""
    found = [place(point.at, point.value) for point in run]
    if len(found) == 1:
        x, _, y = found[0].partition(",")
        return f"{float(x) - 1:.1f},{y} {float(x) + 1:.1f},{y}"
    return " ".join(found)


def _runs(points: Sequence[Any], step: float) -> list[list[Any]]:
    found: list[list[Any]] = []
    for point in points:
        if not found or (step and (point.at - found[-1][-1].at).total_seconds() > 2.5 * step):
            found.append([])
        found[-1].append(point)
    return found


def strip(tones: Sequence[tuple[str, str]]) -> SafeString:
    """A history as a row of small marks, oldest first: `(tone, sentence shown on hover)` each."""
    marks = format_html_join(
        "",
        '<svg viewBox="0 0 5 18" aria-hidden="true"><title>{}</title><rect class="{}" width="5" height="18" rx="1.5"/></svg>',
        ((sentence, _bar_class(tone)) for tone, sentence in tones),
    )
    return format_html('<span class="strip">{}</span>', marks)


def phases(parts: Sequence[tuple[str, float]]) -> SafeString:
    """One bar cut into the phases of a request: `(dns | connect | tls | wait | rest, milliseconds)` each, in order."""
    whole = sum(length for _, length in parts) or 1
    drawn, left = [], 0.0
    for name, length in parts:
        wide = length / whole * 100
        drawn.append((f"{name}: {length:.1f} ms", name, round(left, 2), round(wide, 2)))
        left += wide
    rects = format_html_join("", '<g><title>{}</title><rect class="phase--{}" x="{}" width="{}" height="10"/></g>', drawn)
    return format_html(
        '<svg class="phases" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        ", ".join(f"{name} {length:.1f} ms" for name, length in parts),
        rects,
    )
