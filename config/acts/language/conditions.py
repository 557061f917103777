"""Conditions of rules, alerts and branches: checked when they are saved, judged with a reason for each part. Pure.

Called by rules, workflows and `template`. A condition is true, false or unknown; unknown never fires.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from config.acts.language import checking, engine, reading, tree, values
from config.acts.language.checking import Leaf, Place
from config.acts.language.tokens import problem
from config.acts.language.tree import Compare, Literal, Logic, Name, Node
from config.kernel.language.facts import Fact

PARTS = 64
OPEN = ("data", "event")
LONGEST_SECONDS = 366 * 86400
_TRUTHS = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True, eq=False)
class Condition:
    """A checked condition. `for_seconds`: how long it must have been true without a break (from `duration > 5m`); 0 for at once.

    `text` reads back as the same condition; `names` are the names it uses, as people write them.
    """

    source: str
    text: str
    names: frozenset[str]
    for_seconds: float
    leaves: tuple[Leaf, ...]
    shape: Any


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a condition and what became of it. `value` is plain JSON, None where there was none.

    `why`: the reason why it is unknown. `beside`: the other names it was compared with, and their values.
    """

    leaf: Leaf
    value: Any
    truth: bool | None
    why: str = ""
    beside: tuple[tuple[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """As typed."""
        return self.leaf.text

    @property
    def needs(self) -> str:
        """What the value had to be: `> 80`."""
        return self.leaf.needs

    @property
    def unit(self) -> str:
        """The unit of the value; empty for a plain count and for what is no number."""
        return self.leaf.unit

    @property
    def sentence(self) -> str:
        """`cpu_usage = 72.4 %, needs > 80 → false`; `queue_depth: not known → unknown`."""
        if self.why:
            return f"{self.why} → {_TRUTHS[self.truth]}"
        beside = ", ".join(f"{name} = {_said(value, '')}" for name, value in self.beside)
        return (
            f"{self.leaf.subject} = {_said(self.value, self.unit)}, needs {self.needs}{beside and f' ({beside})'} → {_TRUTHS[self.truth]}"
        )

    def record(self) -> dict[str, Any]:
        """As JSON, for the row of a verdict."""
        return {name: getattr(self, name) for name in ("text", "value", "needs", "unit", "truth", "sentence")}


@dataclass(frozen=True, slots=True)
class Judged:
    """The truth of a condition (None: unknown) and of each of its parts, in the order they were typed."""

    truth: bool | None
    parts: tuple[Part, ...]

    @property
    def sentence(self) -> str:
        """All parts in one line."""
        return "; ".join(part.sentence for part in self.parts)

    def record(self) -> list[dict[str, Any]]:
        """The parts as JSON, for the row of a verdict."""
        return [part.record() for part in self.parts]


def check(source: str, catalogue: Mapping[str, Fact], *, open_paths: tuple[str, ...] = OPEN) -> Condition:
    """The condition, ready to be judged. Raises InvalidInput with place, reason and the nearest known name.

    Cheap the second time: kept by source and by what the catalogue says of the names in it, so a changed catalogue is noticed.
    """
    _, _, names = _read(source)
    facts = []
    for name in names:
        fact = checking.fact_of(name, catalogue, open_paths)
        if fact is None:
            raise checking.unknown(source, name, [*catalogue, *open_paths])
        facts.append(fact)
    return _compile(source, tuple(facts))


def evaluate(condition: Condition, found: Mapping[str, Any]) -> Judged:
    """Judge it by the values at hand: flat (`{"queues.default.depth": 3}`) or nested. Looks at the names it uses only; never raises."""
    parts = tuple([_judge(leaf, found) for leaf in condition.leaves])
    return Judged(_combine(condition.shape, parts), parts)


@lru_cache(maxsize=4096)
def _read(source: str) -> tuple[Node, tuple[float, str], tuple[Name, ...]]:
    """What must be true, how long (and as typed), the names in it."""
    rest, seconds, text = _sustained(source, reading.read(source))
    names = tuple(node for node in checking.nodes(rest) if isinstance(node, Name))
    for name in names:
        if name.path == ("duration",):
            raise problem(source, name.start, "duration says how long all the rest must be true: write it once, AND duration > 5m")
    return rest, (seconds, text), names


@lru_cache(maxsize=4096)
def _compile(source: str, facts: tuple[Fact, ...]) -> Condition:
    rest, (seconds, suffix), names = _read(source)
    known = dict(zip(names, facts, strict=True))
    leaves: list[Leaf] = []

    def weigh(node: Node, is_negated: bool) -> int:
        if len(leaves) == PARTS:
            raise problem(source, node.start, f"the condition has more than {PARTS} parts. Divide it into several rules")
        leaves.append(checking.Weigher(source, known).leaf(node, is_negated=is_negated))
        return len(leaves) - 1

    shape = checking.split(rest, weigh)
    text = tree.write(rest)
    if suffix:
        text = f"({text}) AND {suffix}" if isinstance(rest, Logic) and rest.word == "OR" else f"{text} AND {suffix}"
    return Condition(source, text, frozenset(tree.dotted(name.path) for name in names), seconds, tuple(leaves), shape)


def _sustained(source: str, root: Node) -> tuple[Node, float, str]:
    """Takes `duration > 5m` out of the topmost AND."""
    items = root.items if isinstance(root, Logic) and root.word == "AND" else (root,)
    lengths = [item for item in items if isinstance(item, Compare) and isinstance(item.left, Name) and item.left.path == ("duration",)]
    if not lengths:
        return root, 0.0, ""
    length, rest = lengths[0], tuple(item for item in items if item not in lengths)
    if len(lengths) > 1:
        raise problem(source, lengths[1].start, "duration stands in a condition once")
    if length.sign not in (">", ">=") or not isinstance(length.right, Literal) or length.right.unit != "s":
        raise problem(source, length.start, "duration is compared with > and a length of time, such as duration > 5m")
    seconds = float(length.right.value)
    if not 0 < seconds <= LONGEST_SECONDS:
        raise problem(source, length.right.start, "duration is more than nothing and at most 366d")
    if not rest:
        raise problem(source, length.start, "this says how long, but not what must be true. Write cpu_usage > 80 AND duration > 5m")
    whole = rest[0] if len(rest) == 1 else Logic(rest[0].start, rest[-1].end, "AND", rest)
    return whole, seconds, tree.write(length)


def _judge(leaf: Leaf, found: Mapping[str, Any]) -> Part:
    ready, raws, failed = {}, [], ""
    for place in leaf.places:
        raw = values.find(found, place.keys)
        raws.append(raw)
        value = values.READERS[place.asked][1](raw)
        if value is None and not failed:
            failed = _failure(place, raw)
        ready[place.code] = value
    if not failed and leaf.is_of_one_kind and len({values.kind_of(value) for value in ready.values()}) > 1:
        failed = f"{leaf.subject} and {leaf.places[1].text} are of different kinds"
    # Divided by nothing, or beyond what a double holds: the engine says infinity, we say unknown.
    if not failed and leaf.sums and not all(_is_finite(program.value(ready)) for program in leaf.sums):
        failed = f"{leaf.text}: the sum has no value"
    if failed:
        return Part(leaf, _shown(leaf, raws), None, failed)
    truth = leaf.program.flag(ready)
    if truth is None:
        return Part(leaf, _shown(leaf, raws), None, f"{leaf.text}: cannot be told from these values")
    shown = _shown(leaf, raws, ready)
    if len(raws) == 1:
        return Part(leaf, shown, truth is not leaf.is_negated)
    beside = [(place.text, values.shown(raw)) for i, (place, raw) in enumerate(zip(leaf.places, raws, strict=True)) if i != leaf.shown]
    return Part(leaf, shown, truth is not leaf.is_negated, beside=tuple(beside))


def _shown(leaf: Leaf, raws: list[Any], ready: Mapping[str, Any] | None = None) -> Any:
    if isinstance(leaf.shown, engine.Program):
        return None if ready is None else values.shown(leaf.shown.value(ready))
    place = leaf.places[leaf.shown]
    computed = place.asked in ("size", "has") and ready is not None
    return values.shown(ready[place.code] if computed and ready is not None else raws[leaf.shown])


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _failure(place: Place, raw: Any) -> str:
    why = values.why_not(raw, place.asked)
    return f"{place.text}: {why}" if why == "not known" else f"{place.text} {why}"


def _combine(shape: Any, parts: tuple[Part, ...]) -> bool | None:
    """Kleene's logic: false AND unknown is false, true OR unknown is true, the rest of unknown stays unknown."""
    if isinstance(shape, int):
        return parts[shape].truth
    word, below = shape
    if word == "NOT":
        truth = _combine(below, parts)
        return None if truth is None else not truth
    truths = [_combine(item, parts) for item in below]
    decisive = word == "OR"
    return decisive if decisive in truths else None if None in truths else not decisive


def _said(value: Any, unit: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.6g}") if abs(value) < 1e15 else value
    return f"{value} {unit}".rstrip()
