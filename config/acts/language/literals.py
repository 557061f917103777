"""Numbers with units and quoted texts, from what was typed to values. Pure; called by `reading`."""

import math
import re

from config.acts.language.tokens import Token, problem
from config.acts.language.tree import Literal

LENGTHS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SIZES = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
UNITS: dict[str, tuple[str, float]] = {"%": ("%", 1)}
UNITS |= {word: ("s", by) for word, by in LENGTHS.items()} | {word: ("bytes", by) for word, by in SIZES.items()}
_NUMBER = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*(.*)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_LARGEST = 2**63


def number(source: str, token: Token, *, minus: Token | None = None) -> Literal:
    """The number of a token; lengths of time in seconds, sizes in bytes."""
    digits, unit = _NUMBER.fullmatch(token.raw).groups()  # type: ignore[union-attr]
    if unit and unit not in UNITS:
        raise problem(source, token.start, f"“{unit}” is no unit. Known are {', '.join(UNITS)}")
    kind, by = UNITS.get(unit, (None, 1))
    value = int(digits) if digits.isdecimal() and not unit else float(digits) * by
    if value >= _LARGEST if isinstance(value, int) else not math.isfinite(value):
        raise problem(source, token.start, "the number is too large")
    start, sign = (minus.start, "-") if minus else (token.start, "")
    return Literal(start, token.end, -value if minus else value, sign + digits + unit, kind)


def text(source: str, token: Token) -> str:
    """What stands between the quotes."""
    out, signs = [], iter(token.raw[1:-1])
    for sign in signs:
        plain = sign if sign != "\\" else _ESCAPES.get(next(signs), "")
        if not plain:
            raise problem(source, token.start, "behind a backslash stands n, r, t, a quote or a second backslash")
        out.append(plain)
    found = "".join(out)
    if not is_clean(found):
        raise problem(source, token.start, "the text holds a sign that cannot be stored")
    return found


def is_clean(value: str) -> bool:
    """Whether the engine takes this text: no NUL, which ends a text there, and no half of a sign."""
    if "\0" in value:
        return False
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True
