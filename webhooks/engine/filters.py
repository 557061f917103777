"""Conditions on an event's data: checked when saved, compiled once, then matched or explained. Pure; knows no row.

`{"amount": {"$gt": 100}, "metadata.kind": "order"}`: all must hold. A plain value means equality. A value of another type never
matches and never raises. A plain name that is absent at the top is also looked for in `metadata`. A missing value fails every
operator but `$ne`, `$nin` and `$exists: false`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from config.kernel.flow.errors import InvalidInput
from webhooks.engine.operators import LOGICAL, MISSING, OPERATORS, operand_problem

DEEPEST, MOST_PARTS, MOST_BYTES, LONGEST_PATH = 8, 200, 16_384, 200


@dataclass(frozen=True)
class Test:
    """One operator on one path."""

    __test__ = False  # not one of pytest's

    path: str
    operator: str
    operand: Any


@dataclass(frozen=True)
class Group:
    """`$and`, `$or` (any of them) or `$not` (of the one) over parts."""

    kind: str
    parts: tuple["Test | Group", ...]


Filter = Test | Group


@dataclass(frozen=True)
class Part:
    """One test, the value it saw (`None` and `is_missing` when there was none) and whether it held."""

    path: str
    operator: str
    operand: Any
    value: Any
    is_missing: bool
    holds: bool

    @property
    def text(self) -> str:
        """For people: `video_duration $lt 3600: 4000, does not hold`."""
        seen = "missing" if self.is_missing else _short(self.value)
        return f"{self.path} {self.operator} {_short(self.operand)}: {seen}, {'holds' if self.holds else 'does not hold'}"


def validate(conditions: Any) -> list[str]:
    """Sentences against conditions that cannot be used, each naming the bad operator or path; an empty list when they can."""
    if not isinstance(conditions, Mapping):
        return ["Filter conditions must be an object of paths and conditions."]
    try:
        size = len(orjson.dumps(conditions))
    except (orjson.JSONEncodeError, RecursionError) as error:
        return [f"Filter conditions cannot be written as JSON: {error}"]
    if size > MOST_BYTES:
        return [f"Filter conditions may have at most {MOST_BYTES} bytes; these have {size}."]
    found = list(_problems(conditions, 1))
    if not found and (count := sum(1 for _ in _tests(_group(conditions)))) > MOST_PARTS:
        found.append(f"Filter conditions may have at most {MOST_PARTS} tests; these have {count}.")
    return found[:5]


def compile(conditions: Mapping[str, Any]) -> Filter:
    """A filter to match with. Raises InvalidInput with the sentences of `validate`."""
    if problems := validate(conditions):
        raise InvalidInput(problems[0], fields={"filter_conditions": problems})
    return _group(conditions)


def match(wanted: Filter, data: Any) -> bool:
    """Whether `data` passes."""
    if isinstance(wanted, Test):
        return OPERATORS[wanted.operator](look_up(data, wanted.path), wanted.operand)
    if wanted.kind == "$or":
        return any(match(part, data) for part in wanted.parts)
    if wanted.kind == "$not":
        return not match(wanted.parts[0], data)
    return all(match(part, data) for part in wanted.parts)


def explain(wanted: Filter, data: Any) -> list[Part]:
    """Every test with the value it saw and whether it held, in the order they were written."""
    return [_part(test, data) for test in _tests(wanted)]


def reason(wanted: Filter, data: Any) -> str:
    """Why `data` does not pass, in a few words (`filter on video_duration`); empty when it passes."""
    if match(wanted, data):
        return ""
    paths: list[str] = []
    for path in _blamed(wanted, data):
        if path not in paths:
            paths.append(path)
    return f"filter on {', '.join(paths)}"


def look_up(data: Any, path: str) -> Any:
    """The value at a dotted path, or MISSING. A name absent at the top is looked for in `metadata` too."""
    found = _walk(data, path)
    if found is MISSING and isinstance(data, Mapping) and path.partition(".")[0] not in data:
        return _walk(data.get("metadata"), path)
    return found


def _walk(data: Any, path: str) -> Any:
    if isinstance(data, Mapping) and path in data:
        return data[path]
    value = data
    for name in path.split("."):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


def _group(conditions: Mapping[str, Any]) -> Group:
    parts: list[Filter] = []
    for key, value in conditions.items():
        if key in ("$and", "$or"):
            parts.append(Group(key, tuple(_group(one) for one in value)))
        elif key == "$not":
            parts.append(Group("$not", (_group(value),)))
        else:
            parts.extend(_field(key, value))
    return Group("$and", tuple(parts))


def _field(path: str, value: Any) -> list[Filter]:
    if not _is_operators(value):
        return [Test(path, "$eq", value)]
    found: list[Filter] = []
    for operator, operand in value.items():
        if operator == "$not":
            found.append(Group("$not", (Group("$and", tuple(_field(path, operand))),)))
        else:
            found.append(Test(path, operator, operand))
    return found


def _is_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(key, str) and key.startswith("$") for key in value)


def _problems(conditions: Any, depth: int) -> Iterator[str]:
    if not isinstance(conditions, Mapping):
        yield "Each condition must be an object of paths and conditions."
        return
    if depth > DEEPEST:
        yield f"Conditions may be nested at most {DEEPEST} deep."
        return
    for key, value in conditions.items():
        if key in LOGICAL:
            yield from _logical_problems(key, value, depth)
        elif key.startswith("$"):
            yield f"There is no operator {key!r} here; at this place there are $and, $or and $not."
        elif not key or len(key) > LONGEST_PATH:
            yield f"A path must have 1 to {LONGEST_PATH} characters."
        elif _is_operators(value):
            yield from _operator_problems(key, value, depth)


def _logical_problems(key: str, value: Any, depth: int) -> Iterator[str]:
    if key == "$not":
        yield from _problems(value, depth + 1)
    elif not isinstance(value, list) or not value:
        yield f"{key} needs a list of at least one condition."
    else:
        for one in value:
            yield from _problems(one, depth + 1)


def _operator_problems(path: str, value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for operator, operand in value.items():
        if operator == "$not":
            if depth >= DEEPEST:
                yield f"Conditions may be nested at most {DEEPEST} deep."
            elif _is_operators(operand):
                yield from _operator_problems(path, operand, depth + 1)
        elif problem := operand_problem(path, operator, operand):
            yield problem


def _tests(wanted: Filter) -> Iterator[Test]:
    if isinstance(wanted, Test):
        yield wanted
        return
    for part in wanted.parts:
        yield from _tests(part)


def _blamed(wanted: Filter, data: Any) -> Iterator[str]:
    """The paths of the parts that do not hold; under `$or` and `$not` all of them together."""
    if isinstance(wanted, Test) or wanted.kind != "$and":
        yield from (test.path for test in _tests(wanted))
        return
    for part in wanted.parts:
        if not match(part, data):
            yield from _blamed(part, data)


def _part(test: Test, data: Any) -> Part:
    value = look_up(data, test.path)
    holds = OPERATORS[test.operator](value, test.operand)
    return Part(test.path, test.operator, test.operand, None if value is MISSING else value, value is MISSING, holds)


def _short(value: Any) -> str:
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= 80 else text[:79] + "…"


def names(conditions: Mapping[str, Any]) -> Sequence[str]:
    """The paths that the conditions look at, for pages."""
    return list(dict.fromkeys(test.path for test in _tests(_group(conditions))))
