"""Further limits of a rule, `{"min_error_rate": 2}`, as rows of name and bounds. Used by the form of rules."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from automation.services.judging import catalogue
from config.look.parameters import LOOK, REDRAW

TEMPLATE = "automation/forms/limits.html"
MOST = 30
# A word of the requirements that is no name of a value, but may be limited like one.
SPELT = "queue_age_minutes"
BOUNDS = ("least", "most", "exactly")


@dataclass(frozen=True)
class Limit:
    """One row, as it is typed."""

    name: str = ""
    least: str = ""
    most: str = ""
    exactly: str = ""
    problem: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing was typed."""
        return not (self.name or self.least or self.most or self.exactly)


class LimitsWidget(forms.Widget):
    """Draws the rows, and one more to be filled in."""

    use_fieldset = True

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-rows" not in data

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[Limit]:
        given = str(data.get(f"{name}-rows", "0"))
        count = min(int(given) if given.isascii() and given.isdigit() and len(given) < 4 else 0, MOST)
        rows = [Limit(*(data.get(f"{name}-{i}-{part}", "").strip() for part in ("name", *BOUNDS))) for i in range(count)]
        asked = str(data.get(REDRAW, ""))
        return [*rows, Limit()] if asked == f"{name}:add" else rows

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        if isinstance(value, list):
            rows = [_checked(row) if not row.is_empty else row for row in value] or [Limit()]
        else:
            rows = [*rows_of(value or {}), Limit()]
        shown = {"name": name, "rows": rows, "count": len(rows), "redraw": REDRAW, "is_full": len(rows) >= MOST}
        return render_to_string(TEMPLATE, {**shown, "names": names()})

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""


class LimitsField(forms.Field):
    """Limits as the service takes them."""

    widget = LimitsWidget

    def clean(self, value: Any) -> dict[str, Any]:
        rows = [_checked(row) for row in value or () if not row.is_empty]
        if any(row.problem for row in rows):
            raise forms.ValidationError(LOOK, code="invalid")
        return dict(_limits(rows))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != (initial or {})
        except forms.ValidationError:
            return True


def names() -> list[str]:
    """What a limit may be put on."""
    return [SPELT, *(fact.name for fact in catalogue.known().values() if fact.kind == "number" and "<" not in fact.name)]


def rows_of(stored: Mapping[str, Any]) -> list[Limit]:
    """The rows that say what is stored."""
    found: dict[str, Limit] = {}
    for key, value in stored.items():
        bound = "least" if key.startswith("min_") else "most" if key.startswith("max_") else "exactly"
        name = key[4:] if bound != "exactly" else key
        text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
        found[name] = replace(found.get(name, Limit(name)), **{bound: text})
    return list(found.values())


def _checked(row: Limit) -> Limit:
    if not row.name:
        return replace(row, problem="Say of which value: choose a name.")
    if not (row.least or row.most or row.exactly):
        return replace(row, problem="Give a limit, or leave the name empty too.")
    for text in (row.least, row.most):
        if text and not isinstance(_value(text), int | float):
            return replace(row, problem=f"{text[:40]!r} is no number.")
    return row


def _limits(rows: Iterable[Limit]) -> Iterable[tuple[str, Any]]:
    for row in rows:
        if row.least:
            yield f"min_{row.name}", _value(row.least)
        if row.most:
            yield f"max_{row.name}", _value(row.most)
        if row.exactly:
            yield row.name, _value(row.exactly)


def _value(text: str) -> Any:
    """A number where it is one, true and false, otherwise the text."""
    if text in ("true", "false"):
        return text == "true"
    try:
        found = float(text)
    except ValueError:
        return text
    if not math.isfinite(found):
        return text
    return int(found) if found.is_integer() else found
