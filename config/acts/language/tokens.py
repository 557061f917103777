"""Cuts a condition's text into words, numbers and signs; quoted text is left alone. Pure; called by `reading`."""

import re
from dataclasses import dataclass

from config.kernel.flow.errors import InvalidInput

SOURCE_BYTES = 2048
_PATTERN = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    | (?P<number>(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+(?![A-Za-z]))?(?:\s*%|[A-Za-z_]\w*)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>&&|\|\||==|!=|<=|>=|<|>|!|\(|\)|\[|\]|,|\.|\+|-|\*|/)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_WORDS = {"and": "AND", "or": "OR", "not": "NOT", "in": "IN", "&&": "AND", "||": "OR", "!": "NOT"}
_HINTS = {
    "=": "write == to compare",
    "&": "write AND",
    "|": "write OR",
    "'": "the quoted text has no end",
    '"': "the quoted text has no end",
    "$": "a name stands here without ${ }",
    "%": "a per cent sign belongs behind a number, as in 50%",
} | dict.fromkeys("\u2018\u2019\u201c\u201d", "write straight quotes, ' or \"")


@dataclass(frozen=True)
class Token:
    """`kind` is text, number, name, sign, end, or the word itself (AND, OR, NOT, IN); `start` and `end` are places in the source."""

    kind: str
    raw: str
    start: int
    end: int


def problem(source: str, place: int, what: str) -> InvalidInput:
    """The error of a condition: where, what is wrong, what to do."""
    near = source[place : place + 20].partition("\n")[0].strip().encode(errors="replace").decode().replace("\0", "?")
    where = f"At character {place + 1}, near “{near}”" if near else "At the end"
    return InvalidInput(f"{where}: {what}" + ("" if what.endswith("?") else "."), code="invalid_condition")


def cut(source: str) -> list[Token]:
    """All tokens, the last of kind `end`. Raises InvalidInput for what is too long or no sign of ours."""
    if len(source.encode(errors="replace")) > SOURCE_BYTES:
        raise InvalidInput(f"The condition is longer than {SOURCE_BYTES} bytes. Divide it into several rules.", code="invalid_condition")
    tokens: list[Token] = []
    place = 0
    while place < len(source):
        found = _PATTERN.match(source, place)
        if found is None:
            raise problem(source, place, _HINTS.get(source[place], "this sign is not known here"))
        kind, raw = found.lastgroup or "", found.group()
        # Behind a point every word is the name of a field: data.in, data.not.
        if kind in ("name", "sign") and not (tokens and tokens[-1].raw == "."):
            kind = _WORDS.get(raw.lower(), kind)
        if kind != "space":
            tokens.append(Token(kind, raw, place, found.end()))
        place = found.end()
    return [*tokens, Token("end", "", len(source), len(source))]
