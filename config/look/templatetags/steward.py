"""The words that templates use: `{% load steward %}`. How each looks is told in templates/README.md."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.db.models import TextChoices
from django.utils.html import format_html
from django.utils.safestring import SafeString

from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.look import charts, pages, words

register = template.Library()

SINCE_CHOICES = [(word, label) for word, (_, label) in pages.WINDOWS.items()]
_LINE = 'fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"'
_COPY = SafeString(
    f'<svg class="copy__ready" viewBox="0 0 16 16" aria-hidden="true"><rect x="2" y="5.5" width="8.5" height="8.5" rx="1.5" {_LINE}/>'
    f'<path d="M5.5 5.5V3.5A1.5 1.5 0 017 2h5.5A1.5 1.5 0 0114 3.5V9a1.5 1.5 0 01-1.5 1.5h-2" {_LINE}/></svg>'
    f'<svg class="copy__done" viewBox="0 0 16 16" aria-hidden="true"><path d="M3 8.5l3.2 3.2L13 4.8" {_LINE}/></svg>'
)


@register.simple_tag(name="status")
def status_tag(word: Any, tone: str = "", label: str = "", pill: bool = False) -> SafeString:
    """A state as word, shape and colour: `{% status delivery.status %}`."""
    return words.status(word, tone=tone, label=label, pill=pill)


@register.simple_tag
def shape(tone: str) -> SafeString:
    """The sign of a tone alone, for notes and the time line."""
    return words.shape(tone)


@register.filter
def tone(word: Any) -> str:
    """`ok, bad, held, info, off` for a state's word."""
    return words.tone_of(str(word))


@register.simple_tag
def uid(value: str, href: str = "", whole: bool = False) -> SafeString:
    """An id: monospaced, shortened in the middle (not with `whole`), a link where `href` is given, copied with one click."""
    if not value:
        return SafeString(words.NOTHING)
    shown = value if whole else words.short(value)
    inner = (
        format_html('<a href="{}" title="{}">{}</a>', href, value, shown)
        if href
        else format_html('<code title="{}">{}</code>', value, shown)
    )
    return format_html('<span class="uid">{}{}</span>', inner, copy(value))


@register.simple_tag
def copy(value: str) -> SafeString:
    """A button that copies `value`; it is not there without JavaScript."""
    return format_html(
        '<button type="button" class="copy" data-copy="{}" aria-label="Copy {}" title="Copy">{}</button>', value, value, _COPY
    )


@register.filter
def plain(word: Any) -> str:
    """A name of ours as people write it: `{{ "half_open"|plain }}`."""
    return words.plain(str(word))


@register.filter
def ago(moment: datetime | None) -> SafeString:
    """A time as `3 min ago`, exact on hover; kept current, and put in the viewer's zone, by steward.js."""
    if moment is None:
        return SafeString(words.NOTHING)
    return _time(moment, words.ago(moment, clock.now()), "")


@register.filter
def exact(moment: datetime | None) -> SafeString:
    """A time in full, in the viewer's zone where JavaScript runs and in UTC where it does not."""
    if moment is None:
        return SafeString(words.NOTHING)
    return _time(moment, words.exact(moment), " data-exact")


def _time(moment: datetime, text: str, mark: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', clock.text(moment), words.exact(moment), SafeString(mark), text)


@register.filter(name="bytes")
def bytes_filter(count: float | None) -> str:
    """`1.2 kB`."""
    return words.size(count)


@register.filter
def ms(length: float | None) -> str:
    """Milliseconds as `12 ms` or `1.23 s`."""
    return words.milliseconds(length)


@register.filter
def percent(share: float | None) -> str:
    """A share from 0 to 1 as `99.2 %`."""
    return words.percent(share)


@register.filter
def number(amount: float | None) -> str:
    """`12,345`."""
    return words.NOTHING if amount is None else f"{amount:,}"


@register.filter
def measured(value: float | None, unit: str = "") -> str:
    """A measured value with its unit (`%`, `s`, `bytes`, `/s`, `bytes/s` or none): `{{ 0.038|measured:"s" }}` gives `38 ms`."""
    return words.measured(value, unit)


@register.filter
def valued(value: Any, unit: str = "") -> str:
    """A value that a condition saw: `measured` for a number, otherwise as `told`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return words.measured(value, unit) if is_number else told(value)


@register.filter
def told(value: Any) -> str:
    """Any value in one line: texts as they are, lists by comma, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ", ".join(str(one) for one in value)
    return words.NOTHING if value is None else json.dumps(value, ensure_ascii=False, default=str)


@register.simple_tag
def line(points: Sequence[Any], *, since: datetime, until: datetime, unit: str = "", label: str = "", step: float = 0) -> SafeString:
    """A large chart of points with `at, value, low, high`, from `since` to `until`; a gap is a gap."""
    return charts.line(points, since, until, label=label, step=step, shown=lambda value: words.measured(value, unit), percent=unit == "%")


@register.filter
def json_pretty(value: Any) -> SafeString:
    """Indented and coloured JSON in a code block; what is no JSON is shown as it is."""
    return format_html('<pre class="code" tabindex="0">{}</pre>', words.json_html(value))


@register.filter
def marked(text: str) -> SafeString:
    """A sentence in which names of ours stand between backticks: `like this` becomes code."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", text)
    return SafeString("".join(format_html("<code>{}</code>" if index % 2 else "{}", part) for index, part in enumerate(parts)))


@register.filter
def lasting(seconds: float | None) -> str:
    """A length of time as people say it: `12 s`, `2 min 5 s`, `3 h 20 min`."""
    return words.lasting(seconds)


@register.filter
def headers(given: Mapping[str, Any] | None) -> SafeString:
    """HTTP headers as a small table. Redact them before you store or draw them."""
    if not given:
        return SafeString('<p class="muted">None.</p>')
    rows = SafeString("").join(
        format_html('<tr><th scope="row">{}</th><td>{}</td></tr>', name, value) for name, value in sorted(given.items())
    )
    return format_html('<table class="headers"><tbody>{}</tbody></table>', SafeString(rows))


@register.simple_tag
def sparkline(values: Sequence[float], label: str = "") -> SafeString:
    """A small line through `values`, the newest at the right."""
    return charts.sparkline(values, label=label)


@register.simple_tag
def strip(tones: Sequence[tuple[str, str]]) -> SafeString:
    """A history as small marks, oldest first: `[(tone, sentence), …]`."""
    return charts.strip(tones)


@register.simple_tag
def phases(parts: Sequence[tuple[str, float]]) -> SafeString:
    """A request's time cut into `[("dns", ms), ("connect", ms), ("tls", ms), ("wait", ms), ("rest", ms)]`."""
    return charts.phases(parts)


@register.inclusion_tag("components/bars.html")
def bars(series: Sequence[charts.Bar], label: str, unit: str = "", words: Mapping[str, str] = charts.WORDS) -> dict[str, Any]:
    """Columns (`charts.Bar`) with the first and last label below, a legend where there are parts, and the numbers as a table behind.

    `words`: what the tones stand for, as in `{"ok": "delivered"}`.
    """
    tones = list(dict.fromkeys(tone for bar in series for tone in bar.parts))
    return {
        "drawn": charts.bars(series, label=label, words=words),
        "legend": charts.legend(tones, words),
        "series": [(bar, [bar.parts.get(tone, 0) for tone in tones]) for bar in series],
        "first": series[0].label if series else "",
        "last": series[-1].label if series else "",
        "label": label,
        "highest": max((bar.total for bar in series), default=0),
        "columns": [words.get(tone, unit or "Number").capitalize() for tone in tones],
        "id": "behind-" + "".join(letter if letter.isalnum() else "-" for letter in label.lower()),
    }


@register.simple_tag
def chart_svg(series: Sequence[charts.Bar], label: str, words: Mapping[str, str]) -> SafeString:
    """Columns with their legend and the first and last label, for a file that has no style of ours: no links, no table behind."""
    tones = list(dict.fromkeys(tone for bar in series for tone in bar.parts))
    axis = format_html(
        '<div class="axis"><span>{}</span><span>{}</span></div>', *((series[0].label, series[-1].label) if series else ("", ""))
    )
    return charts.bars(series, label=label, words=words) + axis + charts.legend(tones, words)


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, **changes: Any) -> str:
    """The current query string with `changes`; None or an empty text takes a name out: `{% query_with page=2 %}`."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None or value == "":
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag(takes_context=True)
def may(context: template.Context, scope: str) -> bool:
    """Whether the viewer holds `scope`: `{% may "webhooks:manage" as can_manage %}{% if can_manage %}…`."""
    return permissions.may(context["request"].user, scope)


@register.inclusion_tag("components/pagination.html", takes_context=True)
def pagination(context: template.Context, page: "pages.Listed") -> dict[str, Any]:
    """Where in a list we are: newer, older, how many, how many per page."""
    return {"request": context["request"], "page": page, "sizes": pages.SIZES}


@register.inclusion_tag("components/filter_choice.html", takes_context=True)
def filter_choice(
    context: template.Context, name: str, choices: "Iterable[tuple[str, str]] | type[TextChoices]", label: str, everything: str = "All"
) -> dict[str, Any]:
    """A filter with fixed values: `{% filter_choice "status" statuses "Status" %}`; give pairs or a TextChoices class."""
    pairs = choices.choices if isinstance(choices, type) and issubclass(choices, TextChoices) else choices
    return {"name": name, "choices": list(pairs), "label": label, "everything": everything, "current": context["request"].GET.get(name, "")}


@register.inclusion_tag("components/filter_choice.html", takes_context=True)
def filter_since(context: template.Context, name: str = "since") -> dict[str, Any]:
    """The filter by age, read with `pages.since(request)`."""
    return {
        "name": name,
        "choices": SINCE_CHOICES,
        "label": "Since",
        "everything": "Any time",
        "current": context["request"].GET.get(name, ""),
    }


@register.inclusion_tag("components/filter_text.html", takes_context=True)
def filter_text(context: template.Context, name: str, label: str, placeholder: str = "") -> dict[str, Any]:
    """A filter to type: `{% filter_text "subject" "Subject" "order:42" %}`."""
    return {"name": name, "label": label, "placeholder": placeholder, "current": context["request"].GET.get(name, "")}
