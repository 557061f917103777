"""A rule's further limits, `{"min_queue_age_minutes": 10}`, as conditions. Pure; used when a rule is saved and when it is judged."""

import difflib
import math
from collections.abc import Container, Mapping
from typing import Any

from config.acts.language import tree

# The requirement's own word → the name it limits, and what its number must be multiplied by.
SPELT = {"min_queue_age_minutes": ("oldest_age", ">=", 60.0), "max_queue_age_minutes": ("oldest_age", "<=", 60.0)}
# Below this a whole number keeps all its digits.
WHOLE = 2**63
BOUNDS = {"min_": ">=", "max_": "<="}


def sources(limits: Mapping[str, Any], *, queue: str, known: Container[str], names: list[str]) -> list[str]:
    """One condition for each limit. Raises ValueError with a sentence that names the unknown key and the nearest one."""
    return [_source(key, value, queue, known, names) for key, value in limits.items()]


def written(value: float) -> str:
    """A number in the language of conditions, to its last digit. PostgreSQL gives 1e22 back as a whole number."""
    return repr(float(value)).removesuffix(".0")


def of_queue(queue: str, name: str) -> str:
    """The name of what is measured of a queue."""
    return named(f"queues.{queue}.{name}")


def named(name: str) -> str:
    """The name of a series in the language of conditions, whatever signs stand in it: `queues['night-run'].depth`."""
    return name if "[" in name else tree.dotted(tuple(name.split(".")))


def _source(key: str, value: Any, queue: str, known: Container[str], names: list[str]) -> str:
    if key in SPELT:
        name, operator, factor = SPELT[key]
        return f"{of_queue(queue, name)} {operator} {written(_number(key, value) * factor)}"
    for start, operator in BOUNDS.items():
        if key.startswith(start) and key.removeprefix(start) in known:
            return f"{named(key.removeprefix(start))} {operator} {written(_number(key, value))}"
    if key in known:
        return f"{named(key)} == {_literal(key, value)}"
    spelt = [*SPELT, *(f"{start}{name}" for start in BOUNDS for name in names), *names]
    near = difflib.get_close_matches(key, spelt, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"There is no condition {key!r}.{hint} Write min_ or max_ before the name of a measured value, or use `condition`.")


def _number(key: str, value: Any) -> float:
    try:
        found = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError(f"{key} must be a number, not {str(value)[:40]!r}.")
    return found


def _literal(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) and abs(value) < WHOLE else written(_number(key, value))
    if isinstance(value, str):
        return tree.quoted(value)
    raise ValueError(f"{key} must be a number, a text, true or false, not {value!r}.")
