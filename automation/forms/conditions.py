"""A condition that is typed with help: the names that there are with unit and latest value, and what the text comes to.

Used by the form of rules.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from automation.services.judging import catalogue
from automation.services.running import pressure
from config.kernel.language.facts import Fact
from config.look.fields import Editor

TEMPLATE = "automation/forms/condition.html"
EVENT, MOMENT = "The event", "The trigger"


@dataclass(frozen=True)
class Known:
    """One name that a condition may use. `value`: measured last; None where nothing was."""

    fact: Fact
    value: Any = None

    @property
    def is_family(self) -> bool:
        """Whether a part of it must be filled in."""
        return "<" in self.fact.name


class ConditionWidget(Editor):
    """A text with the known names beside it; a click writes one into it. `js/rules.js` asks what it comes to while it is typed."""

    def __init__(self, *, rows: int = 3, has_names: bool = True) -> None:
        super().__init__(rows=rows)
        self.has_names = has_names

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        said = f"{name}-said"
        drawn = super().render(
            name, value, {**(attrs or {}), "data-check": reverse("automation:rule-condition"), "data-said": said}, renderer
        )
        ident = (attrs or {}).get("id", f"id_{name}")
        shown = {"text": drawn, "said": said, "id": ident, "groups": groups() if self.has_names else ()}
        return render_to_string(TEMPLATE, shown)


class ConditionField(forms.CharField):
    """A condition as text; the service checks it."""

    def __init__(self, *, rows: int = 3, has_names: bool = True, **options: Any) -> None:
        super().__init__(**{"required": False, "max_length": 4000, "widget": ConditionWidget(rows=rows, has_names=has_names), **options})


def groups() -> Sequence[tuple[str, Sequence[Known]]]:
    """All names, what is measured first, each group under its first word."""
    values = pressure.measured()
    found: dict[str, list[Known]] = defaultdict(list)
    for name, fact in catalogue.known().items():
        found[_group(name)].append(Known(fact, values.get(name)))
    return sorted(found.items(), key=lambda pair: (pair[0] in (EVENT, MOMENT), pair[0] == MOMENT, pair[0] != "This machine"))


def _group(name: str) -> str:
    if name.startswith("event."):
        return EVENT
    if any(fact.name == name for fact in catalogue.CLOCK_FACTS):
        return MOMENT
    first, dot, _ = name.partition(".")
    return first.replace("_", " ").capitalize() if dot else "Measured"
