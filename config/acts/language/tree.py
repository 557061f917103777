"""What a condition says, as a tree, and the tree as text again. Pure; made by `reading`, weighed by `checking`."""

from dataclasses import dataclass, field
from typing import Literal as OneOf

Value = float | int | str | bool
_PLAIN = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True)
class Node:
    """Where it stands in the source; two nodes that say the same are equal wherever they stand."""

    start: int = field(compare=False)
    end: int = field(compare=False)


@dataclass(frozen=True)
class Name(Node):
    """A fact or a field of an event: `cpu_usage`, `data.commits[0]['a-b']`."""

    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Literal(Node):
    """A value as typed. `unit` is None for a bare number, `s` for 5m, `%` for 50%, `bytes` for 2GB."""

    value: Value
    raw: str
    unit: str | None = None


@dataclass(frozen=True)
class Items(Node):
    """`['a', 'b']`, right of `in`."""

    items: tuple[Literal, ...]


@dataclass(frozen=True)
class Call(Node):
    """`size(x)`, `has(x)`, `x.startsWith('a')`: the subject first."""

    function: str
    subject: "Node"
    argument: "Node | None" = None


@dataclass(frozen=True)
class Sum(Node):
    """Arithmetic: + - * /."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Compare(Node):
    """`left sign right`; the sign is one of == != < <= > >= in, not in."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logic(Node):
    """Two or more joined by AND, or by OR."""

    word: OneOf["AND", "OR"]
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Not(Node):
    """The opposite."""

    item: Node


def dotted(path: tuple[str | int, ...]) -> str:
    """The path as people write it: `data.commits[0].message`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" if is_plain(step) else f"[{quoted(step)}]" for step in path)
    return text.removeprefix(".")


def is_plain(step: str) -> bool:
    """Whether a field can be written behind a point."""
    return step.isascii() and step.isidentifier()


def quoted(text: str) -> str:
    """Text in single quotes."""
    return "'" + "".join(_PLAIN.get(sign, sign) for sign in text) + "'"


def write(node: Node) -> str:
    """The node as text that reads back as the same node."""
    return _write(node, 0)


def _write(node: Node, level: int) -> str:
    """`level`: how tightly what stands around it binds; parentheses go around what binds less."""
    match node:
        case Logic(word=word, items=items):
            own = 1 if word == "OR" else 2
            text = f" {word} ".join(_write(item, own + 1) for item in items)
        case Not(item=item):
            own, text = 3, f"NOT {_write(item, 3)}"
        case Compare(sign=sign, left=left, right=right):
            own, text = 4, f"{_write(left, 5)} {sign} {_write(right, 5)}"
        case Sum(sign=sign, left=left, right=right):
            own = 5 if sign in "+-" else 6
            text = f"{_write(left, own)} {sign} {_write(right, own + 1)}"
        case _:
            return _leaf(node)
    return f"({text})" if own < level else text


def _leaf(node: Node) -> str:
    match node:
        case Name(path=path):
            return dotted(path)
        case Literal(value=str(value)):
            return quoted(value)
        case Literal(raw=raw):
            return raw
        case Items(items=items):
            return "[" + ", ".join(map(_leaf, items)) + "]"
        case Call(function=function, subject=subject, argument=None):
            return f"{function}({_write(subject, 5)})"
        case Call(function=function, subject=subject, argument=Node() as argument):
            return f"{_write(subject, 7)}.{function}({_write(argument, 5)})"
    raise TypeError(f"{type(node).__name__} has no text")
