"""Reads a condition's text as a tree: OR, AND, NOT, comparison, sum, product, value. Pure; called by `conditions` and `template`."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from config.acts.language import literals, tree
from config.acts.language.tokens import Token, cut, problem
from config.acts.language.tree import Call, Compare, Items, Literal, Logic, Name, Node, Not, Sum

DEPTH, ITEMS, SUMS = 32, 64, 24  # levels; items of a list; steps of arithmetic, which the engine nests and bounds
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
METHODS = ("startsWith", "endsWith", "contains", "matches")
_FLAGS = {"true": True, "false": False}


@lru_cache(maxsize=4096)
def read(source: str) -> Node:
    """The tree of a condition. Raises InvalidInput with the place and what is wrong there."""
    reader = _Reader(source)
    if reader.is_at("end"):
        raise problem(source, 0, "there is no condition. Write one, such as cpu_usage > 80")
    node = reader.either()
    if not reader.is_at("end"):
        raise reader.wrong("this does not follow from what stands before it. Join conditions with AND or OR")
    return node


class _Reader:
    def __init__(self, source: str) -> None:
        self.source, self.tokens, self.at, self.depth, self.sums = source, cut(source), 0, 0, 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def is_at(self, *kinds: str) -> bool:
        return self.token.kind in kinds or (self.token.kind == "sign" and self.token.raw in kinds)

    def take(self) -> Token:
        token = self.token
        self.at += token.kind != "end"
        return token

    def need(self, sign: str) -> Token:
        if not self.is_at(sign):
            raise self.wrong(f"a {sign} is missing here")
        return self.take()

    def wrong(self, what: str) -> Exception:
        return problem(self.source, self.token.start, what)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            raise self.wrong(f"this is nested deeper than {DEPTH} levels. Write it flatter")

    def either(self) -> Node:
        return self.joined("OR", lambda: self.joined("AND", self.opposite))

    def joined(self, word: str, part: Callable[[], Node]) -> Node:
        first = part()
        items = [first]
        while self.is_at(word):
            self.take()
            items.append(part())
        if len(items) == 1:
            return first
        flat = [one for item in items for one in (item.items if isinstance(item, Logic) and item.word == word else (item,))]
        return Logic(first.start, items[-1].end, "AND" if word == "AND" else "OR", tuple(flat))

    def opposite(self) -> Node:
        if not self.is_at("NOT"):
            return self.comparison()
        start = self.take().start
        self.deeper()
        item = self.opposite()
        self.depth -= 1
        return Not(start, item.end, item)

    def comparison(self) -> Node:
        left = self.sum()
        sign = self.sign()
        if not sign:
            return left
        right = self.items() if sign in ("in", "not in") and self.is_at("[") else self.sum()
        if self.is_at(*COMPARISONS, "IN"):
            raise self.wrong("compare two things at a time, and join comparisons with AND")
        return Compare(left.start, right.end, sign, left, right)

    def sign(self) -> str:
        if self.is_at(*COMPARISONS):
            return self.take().raw
        if self.is_at("IN"):
            self.take()
            return "in"
        if self.token.raw.lower() == "not" and self.tokens[self.at + 1].kind == "IN":
            self.at += 2
            return "not in"
        return ""

    def items(self) -> Items:
        start, items = self.take().start, []
        while not self.is_at("]"):
            item = self.unary()
            if not isinstance(item, Literal):
                raise problem(self.source, item.start, "a list holds numbers and quoted texts only")
            items.append(item)
            if len(items) > ITEMS:
                raise self.wrong(f"the list is longer than {ITEMS}")
            if not self.is_at("]"):
                self.need(",")
        return Items(start, self.take().end, tuple(items))

    def sum(self) -> Node:
        return self.chain(("+", "-"), lambda: self.chain(("*", "/"), self.unary))

    def chain(self, signs: tuple[str, ...], part: Callable[[], Node]) -> Node:
        left = part()
        while self.is_at(*signs):
            self.sums += 1
            if self.sums > SUMS:
                raise self.wrong(f"the condition has more than {SUMS} steps of arithmetic")
            sign, right = self.take().raw, part()
            left = Sum(left.start, right.end, sign, left, right)
        return left

    def unary(self) -> Node:
        if not self.is_at("-"):
            return self.single()
        minus = self.take()
        token = self.token
        if token.kind != "number":
            raise self.wrong("a minus belongs before a number. Write 0 - x for the opposite of x")
        return literals.number(self.source, self.take(), minus=minus)

    def single(self) -> Node:
        token = self.take()
        if token.kind == "number":
            return literals.number(self.source, token)
        if token.kind == "text":
            text = literals.text(self.source, token)
            return self.methods(Literal(token.start, token.end, text, tree.quoted(text)))
        if token.kind == "name":
            return self.named(token)
        if token.raw == "(":
            self.deeper()
            node = self.either()
            self.depth -= 1
            end = self.need(")").end
            return replace(node, start=token.start, end=end) if isinstance(node, Sum) else node
        self.at -= token.kind != "end"
        raise self.wrong("a name, a number or a quoted text is missing here")

    def named(self, token: Token) -> Node:
        word = token.raw.lower()
        if self.is_at("("):
            return self.function(token)
        if not self.is_at(".", "["):
            if word in _FLAGS:
                return Literal(token.start, token.end, _FLAGS[word], word)
            if word in ("null", "none"):
                raise problem(self.source, token.start, "nothing compares with null. Ask whether a name has a value with has(name)")
        return self.methods(self.path(token))

    def path(self, first: Token) -> Name:
        steps: list[str | int] = [first.raw]
        end = first.end
        while self.is_at(".", "["):
            ahead = self.tokens[self.at + 1 : self.at + 3]
            if self.is_at(".") and len(ahead) == 2 and ahead[1].raw == "(":
                break
            steps.append(self.step())
            end = self.tokens[self.at - 1].end
        return Name(first.start, end, tuple(steps))

    def step(self) -> str | int:
        if self.take().raw == ".":
            if self.token.kind != "name":
                raise self.wrong("the name of a field is missing behind the point. Write ['…'] around one with other signs in it")
            return self.take().raw
        token = self.take()
        if token.kind == "text":
            found: str | int = literals.text(self.source, token)
        elif token.kind == "number" and token.raw.isdecimal() and len(token.raw) < 7:
            found = int(token.raw)
        else:
            raise problem(self.source, token.start, "between [ and ] stands the number of an item or a field in quotes")
        self.need("]")
        return found

    def function(self, token: Token) -> Node:
        if token.raw not in ("size", "has"):
            known = ", ".join(f"x.{name}('…')" for name in METHODS)
            raise problem(self.source, token.start, f"there is no function {token.raw}. Known are size(x), has(x), {known}")
        self.need("(")
        self.deeper()
        subject = self.sum()
        self.depth -= 1
        return Call(token.start, self.need(")").end, token.raw, subject)

    def methods(self, subject: Node) -> Node:
        if not self.is_at("."):
            return subject
        self.take()
        token = self.take()
        self.need("(")
        if token.raw == "size":
            return Call(subject.start, self.need(")").end, "size", subject)
        if token.raw not in METHODS:
            raise problem(self.source, token.start, f"there is no {token.raw}. Known are {', '.join(METHODS)} and size")
        argument = self.sum()
        return Call(subject.start, self.need(")").end, token.raw, subject, argument)
