"""A rule's further limits, `{"min_queue_age_minutes": 10}`, as conditions. Pure; used when a rule is saved and when it is judged."""

import difflib
from collections.abc import Container, Mapping
from typing import Any

# The requirement's own word → the name it limits, and what its number must be multiplied by.
SPELT = {"min_queue_age_minutes": ("oldest_age", ">=", 60.0), "max_queue_age_minutes": ("oldest_age", "<=", 60.0)}
BOUNDS = {"min_": ">=", "max_": "<="}


def sources(limits: Mapping[str, Any], *, queue: str, known: Container[str], names: list[str]) -> list[str]:
    """One condition for each limit. Raises ValueError with a sentence that names the unknown key and the nearest one."""
    return [_source(key, value, queue, known, names) for key, value in limits.items()]


def _source(key: str, value: Any, queue: str, known: Container[str], names: list[str]) -> str:
    if key in SPELT:
        name, operator, factor = SPELT[key]
        return f"queues.{queue}.{name} {operator} {_number(key, value) * factor:g}"
    for start, operator in BOUNDS.items():
        if key.startswith(start) and key.removeprefix(start) in known:
            return f"{key.removeprefix(start)} {operator} {_number(key, value):g}"
    if key in known:
        return f"{key} == {_literal(key, value)}"
    spelt = [*SPELT, *(f"{start}{name}" for start in BOUNDS for name in names), *names]
    near = difflib.get_close_matches(key, spelt, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"There is no condition {key!r}.{hint} Write min_ or max_ before the name of a measured value, or use `condition`.")


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} must be a number, not {value!r}.")
    return float(value)


def _literal(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    raise ValueError(f"{key} must be a number, a text, true or false, not {value!r}.")
