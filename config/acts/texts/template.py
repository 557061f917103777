"""Templates of messages and reports: `{{ name }}`, `{% if condition %}`, `{% for x in list %}`. Pure; called by what sends or reports.

Sees JSON values only, by path; calls nothing. The result is plain text: whoever puts it into HTML escapes it.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config.acts.language import conditions, values
from config.acts.language.checking import EVERYTHING
from config.acts.texts import paths
from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text

SOURCE, OUTPUT, STEPS, DEPTH = 65_536, 65_536, 20_000, 16
# A tag ends before the next one begins, so that thousands without an end cost one pass.
_TAG = re.compile(r"\{\{(?:(?!\}\}|\{\{).)*\}\}|\{%(?:(?!%\}|\{%).)*%\}|\{#(?:(?!#\}|\{#).)*#\}", re.DOTALL)
_FOR = re.compile(r"for\s+([A-Za-z_]\w*)\s+in\s+(\S+)", re.ASCII)
_FILTER = re.compile(r"\|\s*(\w+)(?:\(\s*('[^']*'|\d{1,5})\s*\))?\s*", re.ASCII)


@dataclass(frozen=True)
class _Say:
    path: str
    filters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _If:
    branches: "tuple[tuple[conditions.Condition | None, tuple[_Node, ...]], ...]"


@dataclass(frozen=True)
class _For:
    name: str
    path: str
    body: "tuple[_Node, ...]"
    otherwise: "tuple[_Node, ...]"


_Node = str | _Say | _If | _For


def render(text: str, facts: Mapping[str, Any]) -> str:
    """The text with values in place; what has no value reads "not known". Raises InvalidInput for a wrong template or too much output."""
    left, out = OUTPUT, []
    for piece in _Rendering().pieces(read(text), dict(facts)):
        left -= len(piece.encode(errors="replace"))
        if left < 0:
            raise InvalidInput(f"The text grows over {OUTPUT} bytes. Say less, or name fewer items.", code="too_large")
        out.append(piece)
    return "".join(out)


@lru_cache(maxsize=256)
def read(text: str) -> tuple[_Node, ...]:
    """The parts of a template; also the check when one is saved. Raises InvalidInput."""
    if len(text) > SOURCE:
        raise InvalidInput(f"The template is longer than {SOURCE} characters.", code="invalid_template")
    reader = _Reader(text)
    body, _ = reader.until(())
    return body


class _Reader:
    def __init__(self, text: str) -> None:
        self.pieces, self.depth = self._cut(text), 0

    def _cut(self, text: str) -> Iterator[str]:
        place = 0
        for match in _TAG.finditer(text):
            yield text[place : match.start()]
            yield match.group()
            place = match.end()
        yield text[place:]

    def until(self, ends: tuple[str, ...]) -> tuple[tuple[_Node, ...], str]:
        """The nodes up to a tag that begins with one of `ends`, and that tag."""
        nodes: list[_Node] = []
        for piece in self.pieces:
            if piece.startswith("{%") and piece.endswith("%}"):
                tag = piece[2:-2].strip()
                if tag.split(" ", 1)[0] in ends:
                    return tuple(nodes), tag
                nodes.append(self.block(tag))
            elif piece.startswith("{{") and piece.endswith("}}"):
                nodes.append(_say(piece[2:-2].strip()))
            elif piece and not (piece.startswith("{#") and piece.endswith("#}")):
                nodes.append(piece)
        if ends:
            raise _wrong(f"{{% {ends[-1]} %}} is missing")
        return tuple(nodes), ""

    def block(self, tag: str) -> _Node:
        self.depth += 1
        if self.depth > DEPTH:
            raise _wrong(f"blocks are nested deeper than {DEPTH} levels")
        node = self.loop(tag) if tag.startswith("for ") else self.choice(tag)
        self.depth -= 1
        return node

    def loop(self, tag: str) -> _For:
        match = _FOR.fullmatch(tag)
        if match is None:
            raise _wrong("a loop reads {% for item in data.items %}")
        paths.steps(match[2])
        body, end = self.until(("else", "endfor"))
        otherwise = self.until(("endfor",))[0] if end == "else" else ()
        return _For(match[1], match[2], body, otherwise)

    def choice(self, tag: str) -> _If:
        if not tag.startswith("if "):
            raise _wrong(f"{{% {tag[:40]} %}} is not known here; there are if, elif, else, endif, for, endfor")
        branches, end = [], tag
        while end != "endif":
            is_last = end == "else"
            condition = None if is_last else _condition(end.partition(" ")[2].strip())
            body, end = self.until(("endif",) if is_last else ("elif", "else", "endif"))
            branches.append((condition, body))
        return _If(tuple(branches))


class _Rendering:
    def __init__(self) -> None:
        self.left = STEPS

    def pieces(self, nodes: tuple[_Node, ...], facts: dict[str, Any]) -> Iterator[str]:
        for node in nodes:
            self.spend(1)
            if isinstance(node, str):
                yield node
            elif isinstance(node, _Say):
                yield _said(node, facts)
            elif isinstance(node, _If):
                yield from self.pieces(self.chosen(node, facts), facts)
            else:
                yield from self.loop(node, facts)

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise InvalidInput(f"This template takes more than {STEPS} steps. Name fewer items in its loops.", code="too_large")

    def chosen(self, node: _If, facts: dict[str, Any]) -> tuple[_Node, ...]:
        for condition, body in node.branches:
            if condition is None:
                return body
            self.spend(len(condition.leaves))
            if conditions.evaluate(condition, facts).truth:
                return body
        return ()

    def loop(self, node: _For, facts: dict[str, Any]) -> Iterator[str]:
        found = paths.find(node.path, facts)
        items = [{"key": key, "value": item} for key, item in found.items()] if isinstance(found, dict) else found
        if not isinstance(items, list | tuple) or not items:
            yield from self.pieces(node.otherwise, facts)
            return
        for item in items:
            self.spend(1)
            yield from self.pieces(node.body, {**facts, node.name: item})


def _condition(source: str) -> conditions.Condition:
    condition = conditions.check(source, {}, open_paths=EVERYTHING)
    if condition.for_seconds:
        raise _wrong("a template cannot wait: duration belongs in a rule")
    return condition


def _say(text: str) -> _Say:
    path, place, filters = text.split("|", 1)[0].strip(), text.find("|"), []
    paths.steps(path)
    while 0 <= place < len(text):
        match = _FILTER.match(text, place)
        if match is None or match[1] not in _FILTERS:
            raise _wrong(f"“{text[place : place + 40]}” is no filter; there are {', '.join(_FILTERS)}")
        filters.append((match[1], (match[2] or "").strip("'")))
        place = match.end()
    return _Say(path, tuple(filters))


def _said(node: _Say, facts: Mapping[str, Any]) -> str:
    value = paths.find(node.path, facts)
    for name, argument in node.filters:
        if name == "default" or (value is not values.MISSING and value is not None):
            value = _FILTERS[name](value, argument)
    return "not known" if value is values.MISSING or value is None else paths.as_text(value)


def _wrong(what: str) -> InvalidInput:
    return InvalidInput(f"The template cannot be read: {what}.", code="invalid_template")


def _rounded(value: Any, argument: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value, min(int(argument or 0), 12) or None) if is_number and math.isfinite(value) else value


def _joined(value: Any, argument: str) -> Any:
    return (argument or ", ").join(map(paths.as_text, value)) if isinstance(value, list | tuple) else value


def _cut_short(value: Any, argument: str) -> str:
    text, most = paths.as_text(value), int(argument) if argument.isdecimal() else 80
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"


_FILTERS: dict[str, Callable[[Any, str], Any]] = {
    "default": lambda value, argument: argument if value is values.MISSING or value is None or value == "" else value,
    "upper": lambda value, _: paths.as_text(value).upper(),
    "lower": lambda value, _: paths.as_text(value).lower(),
    "length": lambda value, _: len(value) if isinstance(value, str | list | tuple | dict) else value,
    "json": lambda value, _: json_text.write(value).decode(),
    "round": _rounded,
    "join": _joined,
    "truncate": _cut_short,
}
