"""`${name}` in parameters: a look-up, never an evaluation. Pure; called by rules and workflows before the first action.

A text that is exactly one `${a.b}` becomes the value, with its type; inside a longer text the value is written as text. `$${` stands
for `${`. What was put in is not looked through again.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from config.acts.language import values
from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text

DEPTH, CHARACTERS = 64, 1_000_000  # levels of a parameter; characters that all its texts may grow to
_FIELD = re.compile(r"\$(?P<escaped>\$)?\{(?P<path>[^{}]*)(?P<end>\}?)")
_STEP = re.compile(r"(?:^|(?<=.)\.)(?P<name>[A-Za-z_][\w-]*|(?<=\.)\d{1,6})|\[(?P<number>\d{1,6})\]|\['(?P<quoted>[^'\\]+)'\]", re.ASCII)


def fill(value: Any, facts: Mapping[str, Any]) -> Any:
    """A copy of a JSON value with every `${path}` of its texts replaced; keys of maps stay as they are.

    Raises InvalidInput that names the path which is missing or is none.
    """
    return _Filling(facts).filled(value, 0)


def names(value: Any) -> frozenset[str]:
    """The paths that a JSON value asks for, as written. Raises InvalidInput for what is no path."""
    found: set[str] = set()

    def note(text: str) -> str:
        for match in _FIELD.finditer(text):
            if not match["escaped"]:
                read(match)
                found.add(match["path"].strip())
        return text

    _walk(value, note, 0)
    return frozenset(found)


def find(path: str, facts: Mapping[str, Any]) -> Any:
    """The value of a path such as `data.commits[0].message`, or `values.MISSING`. Raises InvalidInput for what is no path."""
    return values.find(facts, values.keys_of(steps(path)))


def steps(path: str) -> tuple[str | int, ...]:
    """`a.b[0]['c d']` → ("a", "b", 0, "c d")."""
    found, place = [], 0
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            break
        name, number, quoted = match["name"], match["number"], match["quoted"]
        found.append(int(number or name) if number or (name and name.isdecimal()) else quoted or name)
        place = match.end()
    if place < len(path) or not found or not isinstance(found[0], str):
        raise InvalidInput(f"“{path[:80]}” is no path. Write names with points, as in data.commits[0].message.", code="invalid_path")
    return tuple(found)


def read(match: re.Match[str]) -> tuple[str | int, ...]:
    """The steps of a `${…}` that was found."""
    if not match["end"]:
        raise InvalidInput(f"${{{match['path'][:80]} has no closing }}. Write $${{ for the two characters themselves.", code="invalid_path")
    return steps(match["path"].strip())


class _Filling:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts, self.left = facts, CHARACTERS

    def filled(self, value: Any, depth: int) -> Any:
        return _walk(value, self.text, depth)

    def text(self, text: str) -> Any:
        whole = _FIELD.fullmatch(text)
        if whole and not whole["escaped"]:
            found = self.value(whole)
            # The same value named a thousand times is one here, and a thousand where it is stored.
            self.left -= len(as_text(found)) if isinstance(found, str | dict | list | tuple) else 0
            self.within()
            return found
        found = _FIELD.sub(self.written, text)
        self.left -= len(found)
        self.within()
        return found

    def value(self, match: re.Match[str]) -> Any:
        found = values.find(self.facts, values.keys_of(read(match)))
        if found is values.MISSING:
            raise InvalidInput(f"{match.group()} has no value here. Look at the names that this rule or step knows.", code="missing_value")
        return found

    def written(self, match: re.Match[str]) -> str:
        if match["escaped"]:
            return match.group()[1:]
        found = self.value(match)
        if found is None:
            raise InvalidInput(f"{match.group()} is empty (null) and cannot stand inside a text.", code="missing_value")
        text = as_text(found)
        self.left -= len(text)
        self.within()
        return text

    def within(self) -> None:
        if self.left < 0:
            raise InvalidInput(f"Filled in, the texts are longer than {CHARACTERS} characters. Hand over less.", code="too_large")


def as_text(value: Any) -> str:
    """A JSON value inside a text: texts as they are, the rest as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json_text.write(value).decode() or "null"
    except (TypeError, ValueError):
        raise InvalidInput(f"A value of {type(value).__name__} cannot be written as text.", code="missing_value") from None


def _walk(value: Any, change: Callable[[str], Any], depth: int) -> Any:
    if depth > DEPTH:
        raise InvalidInput(f"The parameters are nested deeper than {DEPTH} levels. Send something flatter.", code="too_large")
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _walk(item, change, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item, change, depth + 1) for item in value]
    return value
