"""A condition by itself: what is wrong with it, or how it reads and how it would be judged. Called by the API and the form of rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automation.services.judging import catalogue
from automation.services.judging.verdicts import parts_as_json
from automation.services.running import pressure
from config.acts.language import conditions
from config.kernel.flow.errors import InvalidInput


@dataclass(frozen=True)
class Checked:
    """A condition that was looked at: what is wrong with it, or how it reads and how it would be judged."""

    is_valid: bool
    problem: str = ""
    text: str = ""
    names: Sequence[str] = ()
    for_seconds: float = 0.0
    truth: bool | None = None
    parts: Sequence[Mapping[str, Any]] = ()


def check_condition(text: str, *, values: Mapping[str, Any] | None = None) -> Checked:
    """Look at a condition by itself, on the values given or measured last."""
    try:
        found = conditions.check(text, catalogue.known(), open_paths=catalogue.OPEN_PATHS)
    except InvalidInput as error:
        return Checked(False, error.message)
    judged = conditions.evaluate(found, pressure.measured() if values is None else values)
    return Checked(True, "", found.text, sorted(found.names), found.for_seconds, judged.truth, parts_as_json(judged.parts))
