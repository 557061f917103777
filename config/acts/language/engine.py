"""The only module that knows the expression engine: Google's CEL. Called by `checking` and `conditions`.

The engine sees flat places with a declared kind (n0 a number, t0 a text …), never a caller's data, and no macros: an expression
takes as many steps as it has signs, times the length of a list.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

PLACES = 8  # of each kind; a comparison with more names is refused
_TYPES = {"n": cel.Type.DOUBLE, "t": cel.Type.STRING, "b": cel.Type.BOOL, "l": cel.Type.List(cel.Type.DYN), "x": cel.Type.DYN}
_ENVIRONMENT = cel.NewEnv(variables={f"{letter}{number}": kind for letter, kind in _TYPES.items() for number in range(PLACES)})


class EngineRefused(Exception):
    """The engine does not take an expression; its words are for programmers."""


class Program:
    """A compiled expression."""

    __slots__ = ("_eval",)

    def __init__(self, code: str) -> None:
        try:
            self._eval = _ENVIRONMENT.compile(code).eval
        except RuntimeError as error:
            raise EngineRefused(str(error)) from None

    def flag(self, places: Mapping[str, Any]) -> bool | None:
        """True or false; None when it cannot be told, whatever the reason."""
        try:
            found = self._eval(data=places).value()
        except (RuntimeError, TypeError, ValueError, OverflowError):
            return None
        return found if found is True or found is False else None

    def value(self, places: Mapping[str, Any]) -> Any:
        """A number, text or flag; None when it cannot be told. The engine answers with its error's text where it fails."""
        try:
            answer = self._eval(data=places)
            return None if answer.type() == cel.Type.ERROR else answer.value()
        except (RuntimeError, TypeError, ValueError, OverflowError):
            return None


@lru_cache(maxsize=8192)
def compile(code: str) -> Program:
    """The program of an expression, one for all conditions that say the same. Raises EngineRefused."""
    return Program(code)
