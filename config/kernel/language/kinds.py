"""Reads what a person typed, or a JSON value, as a value of a kind. Used for live options and parameters."""

import math
from typing import Any

import orjson

MAX_TEXT = 2000
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False, "": False}


def read(value: Any, kind: type, *, low: float | None = None, high: float | None = None) -> Any:
    """`value` as bool, int, float, str or list (of texts). Raises ValueError with the end of a sentence: "it must be …"."""
    found = _READERS[kind](value)
    if (low is not None and found < low) or (high is not None and found > high):
        raise ValueError(f"it must be between {low} and {high}")
    return found


def _bool(value: Any) -> bool:
    found = value if isinstance(value, bool) else _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("it must be true or false")
    return found


def _int(value: Any) -> int:
    if isinstance(value, str):
        text = value.strip()
        if len(text) < 20 and text.isascii() and text.removeprefix("-").isdecimal():
            return int(text)
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("it must be a whole number")


def _float(value: Any) -> float:
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError("it must be a number")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > MAX_TEXT:
        raise ValueError(f"it must be text of at most {MAX_TEXT} characters, without NUL")
    return value.strip()


def _list(value: Any) -> list[str]:
    found = _items(value.strip()) if isinstance(value, str) else value
    if not isinstance(found, list) or any(not isinstance(item, str) for item in found):
        raise ValueError('it must be a list of texts, by comma or as JSON: ["one", "two"]')
    return [item for item in map(_text, found) if item]


def _items(text: str) -> Any:
    if not text.startswith("["):
        return text.split(",")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


_READERS: dict[type, Any] = {bool: _bool, int: _int, float: _float, str: _text, list: _list}
