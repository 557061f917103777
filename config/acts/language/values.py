"""Finds a name's value in whatever came, and says what kind it is of; never raises. Pure; called by `conditions` and `checking`."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from config.acts.language.literals import is_clean

TEXT, LIST, SHOWN = 65_536, 1_000, 200  # characters, items, characters kept for a verdict
_WHOLE = 2**63
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "not known"})()
WORDS = {"number": "a number", "whole": "a number", "text": "text", "flag": "true or false", "list": "a list", "any": "a plain value"}


def find(values: Mapping[str, Any], keys: tuple[tuple[str, tuple[str | int, ...]], ...]) -> Any:
    """The value under the longest of `keys` that there is; each key comes with the steps to go on from there."""
    for key, steps in keys:
        if key in values:
            return walk(values[key], steps)
    return MISSING


def keys_of(path: tuple[str | int, ...]) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
    """What to look for: `a.b.c` as one key, then `a.b` and its c, then `a` and its b and c."""
    heads = [index for index in range(len(path), 0, -1) if all(isinstance(step, str) for step in path[:index])]
    return tuple((".".join(map(str, path[:index])), path[index:]) for index in heads)


def walk(value: Any, steps: tuple[str | int, ...]) -> Any:
    """Goes down maps by name and lists by number; nothing else has steps."""
    for step in steps:
        is_there = step in value if isinstance(value, dict) else isinstance(value, list | tuple) and type(step) is int and step < len(value)
        if not is_there:
            return MISSING
        value = value[step]
    return value


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _whole(value: Any) -> float | int | None:
    """Keeps every digit of an id of an outside system."""
    return value if type(value) is int and -_WHOLE <= value < _WHOLE else _number(value)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str) and len(value) <= TEXT and is_clean(value) else None


def _flag(value: Any) -> bool | None:
    return value if value is True or value is False else None


def _list(value: Any) -> list[Any] | None:
    return [_any(item) for item in value] if isinstance(value, list | tuple) and len(value) <= LIST else None


def _any(value: Any) -> Any:
    return value if value is True or value is False else _text(value) if isinstance(value, str) else _whole(value)


def _size(value: Any) -> float | None:
    return float(len(value)) if isinstance(value, str | list | tuple | dict) else None


def _has(value: Any) -> bool:
    return value is not MISSING and value is not None


# What is asked of a name → the letter of its place in the engine, and what turns a value into what goes there, or into None.
READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "number": ("n", _number),
    "whole": ("x", _whole),
    "text": ("t", _text),
    "flag": ("b", _flag),
    "list": ("l", _list),
    "any": ("x", _any),
    "size": ("n", _size),
    "has": ("b", _has),
}


def kind_of(value: Any) -> str:
    """number, text, flag or list of a value that a reader let through."""
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "number"


def shown(value: Any) -> Any:
    """A value as it can be stored with a verdict: small, plain, JSON. None for what is missing."""
    if value is MISSING or value is None or value is True or value is False:
        return None if value is MISSING else value
    if isinstance(value, str):
        return value[:SHOWN].encode(errors="replace").decode().replace("\0", "?")
    if isinstance(value, int | float | Decimal):
        found = _whole(value)
        return "no number" if found is None else found
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"a map of {len(value)}" if isinstance(value, dict) else f"a {type(value).__name__}"[:SHOWN]


def why_not(value: Any, asked: str) -> str:
    """Why a value does not do: "not known", "text, not a number"."""
    if value is MISSING or value is None:
        return "not known"
    if isinstance(value, bool):
        found = "true or false"
    elif isinstance(value, str):
        found = "text that is too long or cannot be stored" if asked == "text" else "text"
    elif isinstance(value, int | float | Decimal):
        found = "a number" if _number(value) is not None else "no number, or one that is too large"
    else:
        found = shown(value)
    if asked == "list" and isinstance(value, list | tuple):
        return f"is {found}, and at most {LIST} are looked through"
    return f"is {found}, needs {WORDS.get(asked, 'text, a list or a map')}"
