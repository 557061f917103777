"""Weighs a tree against the catalogue of names: kinds, units, caps; writes each part for the engine. Pure; called by `conditions`."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.acts.language import engine, tree, values
from config.acts.language.tokens import problem
from config.acts.language.tree import Call, Compare, Items, Literal, Logic, Name, Node, Not, Sum
from config.kernel.flow.errors import InvalidInput
from config.kernel.language.facts import Fact

EVERYTHING = ("*",)  # as `open_paths`: every name is of any kind
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_UNITS = {"s": "a length of time", "%": "a percentage", "bytes": "a number of bytes"}


@dataclass(frozen=True)
class Place:
    """A name in a part: where the engine finds it, where we find it, what it must be."""

    code: str
    text: str
    keys: tuple[tuple[str, tuple[str | int, ...]], ...]
    asked: str
    unit: str


@dataclass(frozen=True)
class Leaf:
    """One part of a condition, ready to be judged. `shown`: the place or program a verdict shows; `sums`: must come out finite."""

    text: str
    subject: str
    needs: str
    unit: str
    places: tuple[Place, ...]
    program: engine.Program
    sums: tuple[engine.Program, ...]
    shown: int | engine.Program
    is_negated: bool
    is_of_one_kind: bool


def nodes(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for below in vars(node).values():
        for one in below if isinstance(below, tuple) else (below,):
            if isinstance(one, Node):
                yield from nodes(one)


def fact_of(name: Name, facts: Mapping[str, Fact], open_paths: tuple[str, ...]) -> Fact | None:
    """What is known of a name: itself, a part of something that may hold anything, or None."""
    for key, steps in values.keys_of(name.path):
        if key in facts and (not steps or facts[key].kind in ("any", "list")):
            return Fact(tree.dotted(name.path), "any") if steps else facts[key]
    is_open = open_paths == EVERYTHING or str(name.path[0]) in open_paths
    return Fact(tree.dotted(name.path), "any") if is_open else None


def unknown(source: str, name: Name, facts: Iterable[str]) -> InvalidInput:
    """The error of a name that nobody knows, with the nearest one."""
    typed = tree.dotted(name.path)
    near = difflib.get_close_matches(typed, facts, n=1)
    more = f"Did you mean {near[0]}?" if near else f"If it is meant as text, write '{typed}' in quotes"
    return problem(source, name.start, f"{typed} is not a known name. {more}")


@dataclass
class Weigher:
    """Makes the leaf of one part."""

    source: str
    facts: Mapping[Name, Fact]
    places: dict[tuple[tuple[str | int, ...], str], Place] = field(default_factory=dict)

    def leaf(self, node: Node, *, is_negated: bool = False) -> Leaf:
        """`node` is what stands between AND, OR and NOT."""
        if not any(isinstance(one, Name) for one in nodes(node)):
            raise problem(self.source, node.start, "no name stands in this part, so it would always say the same")
        code, subject, needs = self._compare(node) if isinstance(node, Compare) else self._bare(node)
        if len(self.places) > engine.PLACES:
            raise problem(self.source, node.start, f"this part uses more than {engine.PLACES} names. Divide it")
        places = tuple(self.places.values())
        return Leaf(
            text=f"NOT {tree.write(node)}" if is_negated else self.source[node.start : node.end],
            subject=tree.write(subject),
            needs=f"not {needs}" if is_negated and needs != "true" else "false" if is_negated else needs,
            unit=self._weigh(subject)[1] or "",
            places=places,
            program=self._compiled(code, node),
            sums=tuple(self._compiled(self._code(one, "number"), one) for one in nodes(node) if isinstance(one, Sum)),
            shown=self._shown(subject, places),
            is_negated=is_negated,
            is_of_one_kind=isinstance(node, Compare) and [place.asked for place in places] == ["any", "any"],
        )

    def _shown(self, subject: Node, places: tuple[Place, ...]) -> int | engine.Program:
        if isinstance(subject, Sum) or (isinstance(subject, Call) and subject.argument):
            return self._compiled(self._code(subject, "number"), subject)
        text = tree.write(subject.subject if isinstance(subject, Call) else subject)
        asked = subject.function if isinstance(subject, Call) else ""
        return next((i for i, place in enumerate(places) if place.text == text and asked in ("", place.asked)), 0)

    def _compiled(self, code: str, node: Node) -> engine.Program:
        try:
            return engine.compile(code)
        except engine.EngineRefused:
            raise problem(self.source, node.start, "the engine does not take this part. Write it in a simpler way") from None

    def _bare(self, node: Node) -> tuple[str, Node, str]:
        kind, _ = self._weigh(node)
        if kind not in ("flag", "any"):
            text = tree.write(node)
            raise problem(self.source, node.start, f"{text} is {values.WORDS[kind]}. Compare it, as in {text} {_example(kind)}")
        code = self._code(node, "flag")
        if isinstance(node, Call) and isinstance(node.subject, Literal):
            return code, node.argument or node, f"{tree.write(node.subject)}.{node.function}(it)"
        if isinstance(node, Call) and node.argument is not None:
            return code, node.subject, f"{node.function}({tree.write(node.argument)})"
        return code, node, "true"

    def _compare(self, node: Compare) -> tuple[str, Node, str]:
        left, right, sign = node.left, node.right, node.sign
        if sign in ("in", "not in"):
            code = self._membership(node)
        else:
            asked = self._agreed(node)
            code = f"{self._code(left, asked)} {sign} {self._code(right, asked)}"
        if not any(isinstance(one, Name) for one in nodes(left)):
            if sign in ("in", "not in"):
                return code, right, f"{'to hold' if sign == 'in' else 'not to hold'} {tree.write(left)}"
            return code, right, f"{_MIRROR.get(sign, sign)} {tree.write(left)}"
        return code, left, f"{sign} {tree.write(right)}"

    def _agreed(self, node: Compare) -> str:
        """The kind in which both sides are compared."""
        (left, left_unit), (right, right_unit) = self._weigh(node.left), self._weigh(node.right)
        kind = right if left == "any" else left
        if "any" not in (left, right) and left != right:
            raise self._disagree(node, f"is {values.WORDS[left]}", f"is {values.WORDS[right]}")
        if kind == "list":
            raise problem(self.source, node.start, "a list is not compared. Ask 'x' in list, or size(list) > 0")
        if kind == "flag" and node.sign not in ("==", "!="):
            raise problem(self.source, node.start, "true and false have no order. Compare them with == or !=")
        self._same_unit(node, left_unit, right_unit)
        sides = (node.left, node.right)
        # A bare field against a whole number keeps all its digits; everything else is a double.
        is_whole = any(isinstance(side, Literal) and type(side.value) is int for side in sides)
        return "whole" if is_whole and "any" in (left, right) and any(isinstance(side, Name) for side in sides) else kind

    def _membership(self, node: Compare) -> str:
        kind, unit = self._weigh(node.left)
        opposite = "!" if node.sign == "not in" else ""
        if not isinstance(node.right, Items):
            if self._weigh(node.right)[0] not in ("list", "any") or not isinstance(node.right, Name):
                raise problem(self.source, node.right.start, "right of in stands a list: ['a', 'b'], or a name that is one")
            return f"{opposite}({self._code(node.left, 'whole' if kind == 'number' else kind)} in {self._code(node.right, 'list')})"
        if not node.right.items:
            raise problem(self.source, node.right.start, "the list is empty")
        for item in node.right.items:
            found, item_unit = self._weigh(item)
            if kind not in ("any", found):
                raise problem(
                    self.source, item.start, f"{tree.write(node.left)} is {values.WORDS[kind]}, {item.raw} is {values.WORDS[found]}"
                )
            if self._weigh(node.right.items[0])[0] != found:
                raise problem(self.source, item.start, "the list mixes kinds. Write numbers only, or texts only")
            self._same_unit(Compare(node.start, node.end, "==", node.left, item), unit, item_unit)
        asked = self._weigh(node.right.items[0])[0] if kind == "any" else kind
        asked = "whole" if asked == "number" else asked
        items = ", ".join(self._code(item, asked) for item in node.right.items)
        return f"{opposite}({self._code(node.left, asked)} in [{items}])"

    def _same_unit(self, node: Compare | Sum, left: str | None, right: str | None) -> None:
        if left is None or right is None or left == right:
            return
        has_bare_count = "" in (left, right) and not isinstance(node.left, Literal) and not isinstance(node.right, Literal)
        if not has_bare_count:
            raise self._disagree(node, _measure(node.left, left), _measure(node.right, right))

    def _disagree(self, node: Compare | Sum, left: str, right: str) -> InvalidInput:
        return problem(self.source, node.start, f"{tree.write(node.left)} {left}, {tree.write(node.right)} {right}")

    def _weigh(self, node: Node) -> tuple[str, str | None]:
        """Kind and unit; the unit is None where any would do."""
        match node:
            case Name():
                fact = self.facts[node]
                return fact.kind, fact.unit if fact.kind == "number" else None
            case Literal(value=value, unit=unit):
                return values.kind_of(value), unit
            case Call():
                return self._weigh_call(node)
            case Sum():
                return "number", self._weigh_sum(node)
        raise problem(self.source, node.start, "a comparison, AND, OR or NOT cannot stand inside a comparison or a sum")

    def _weigh_call(self, node: Call) -> tuple[str, str | None]:
        if node.argument is None:
            if not isinstance(node.subject, Name):
                raise problem(self.source, node.start, f"{node.function}() asks about a name")
            kind = self.facts[node.subject].kind
            if node.function == "size" and kind not in ("text", "list", "any"):
                raise problem(self.source, node.start, f"{tree.write(node.subject)} is {values.WORDS[kind]} and has no size")
            return ("number", "") if node.function == "size" else ("flag", None)
        for one in (node.subject, node.argument):
            found = self._weigh(one)[0]
            if found not in ("text", "any"):
                hint = ". Ask 'x' in list" if found == "list" else ""
                raise problem(self.source, one.start, f"{node.function} works on text, {tree.write(one)} is {values.WORDS[found]}{hint}")
        if node.function == "matches":
            self._weigh_pattern(node.argument)
        return "flag", None

    def _weigh_pattern(self, node: Node) -> None:
        # The engine's patterns (RE2) take time in proportion to the text, whatever the pattern.
        if not isinstance(node, Literal):
            raise problem(self.source, node.start, "the pattern of matches stands in quotes")
        if engine.compile(f"''.matches({_quoted(str(node.value))})").flag({}) is None:
            raise problem(self.source, node.start, "this is no pattern (RE2: no look-around, no back-references)")

    def _weigh_sum(self, node: Sum) -> str | None:
        units = []
        for side in (node.left, node.right):
            kind, unit = self._weigh(side)
            if kind not in ("number", "any"):
                raise problem(self.source, side.start, f"{tree.write(side)} is {values.WORDS[kind]}, and {node.sign} works on numbers")
            units.append(unit)
        left, right = units
        if node.sign in "+-":
            self._same_unit(node, left, right)
            return left or right
        if node.sign == "/":
            return left if not right else None
        return left or right if not (left and right) else None

    def _code(self, node: Node, asked: str) -> str:  # noqa: PLR0911 one line a kind of node
        """The node in the engine's words."""
        match node:
            case Name():
                return self._place(node, asked)
            case Literal(value=bool(value)):
                return "true" if value else "false"
            case Literal(value=str(value)):
                return _quoted(value)
            case Literal(value=value):
                return str(value) if asked == "whole" and type(value) is int else repr(float(value))
            case Call(function=function, subject=Name() as subject, argument=None):
                return self._place(subject, function)
            case Call(function=function, subject=subject, argument=Node() as argument):
                return f"{self._code(subject, 'text')}.{function}({self._code(argument, 'text')})"
            case Sum(sign=sign, left=left, right=right):
                return f"({self._code(left, 'number')} {sign} {self._code(right, 'number')})"
        raise TypeError(f"{type(node).__name__} has no code")

    def _place(self, name: Name, asked: str) -> str:
        key = (name.path, asked)
        if key not in self.places:
            letter = values.READERS[asked][0]
            code = f"{letter}{sum(place.code[0] == letter for place in self.places.values())}"
            unit = self.facts[name].unit if asked == "number" else ""
            self.places[key] = Place(code, tree.dotted(name.path), values.keys_of(name.path), asked, unit)
        return self.places[key].code


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _measure(node: Node, unit: str) -> str:
    if isinstance(node, Literal):
        return f"is {_UNITS.get(unit, 'a plain number')}"
    return f"is measured in {unit}" if unit else "is a plain count"


def _example(kind: str) -> str:
    return {"number": "> 80", "text": "== 'x'", "list": "in a condition such as 'x' in it"}.get(kind, "")


def split(node: Node, weigh: Any) -> Any:
    """The tree with each part replaced by what `weigh` makes of it: ("AND", (…)), ("OR", (…)), ("NOT", …) or a part's number."""
    match node:
        case Logic(word=word, items=items):
            return (word, tuple(split(item, weigh) for item in items))
        case Not(item=Logic() | Not() as item):
            return ("NOT", split(item, weigh))
        case Not(item=item):
            return weigh(item, True)
    return weigh(node, False)
