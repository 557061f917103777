"""The comparisons that filters may use. Pure; a new operator is one function and one line here."""

from collections.abc import Callable, Mapping
from typing import Any, Final

LONGEST_LIST = 1000
LOGICAL = frozenset({"$and", "$or", "$not"})


class Missing:
    """What a path gives that leads nowhere; not the same as null."""

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


def equal(value: Any, operand: Any) -> bool:
    """Equality as JSON has it: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, bool) or isinstance(operand, bool):
        return value is operand
    if isinstance(operand, Mapping):
        return isinstance(value, Mapping) and value.keys() == operand.keys() and all(equal(value[key], operand[key]) for key in operand)
    if isinstance(operand, list):
        return isinstance(value, list) and len(value) == len(operand) and all(map(equal, value, operand))
    return (type(value) is type(operand) and value == operand) or (_is_number(value) and _is_number(operand) and value == operand)


def among(value: Any, operand: Any) -> bool:
    """The value is in the list; a list is when any of its elements is."""
    if value is MISSING:
        return False
    values = value if isinstance(value, list) else [value]
    return any(equal(one, wanted) for one in values for wanted in operand)


def operand_problem(path: str, operator: str, operand: Any) -> str:
    """A sentence against an operator or its operand; empty when it can be used."""
    if operator not in OPERATORS:
        return f"There is no operator {operator!r} (at {path!r}); there are {', '.join(sorted([*OPERATORS, *LOGICAL]))}."
    if operator in ("$in", "$nin") and (not isinstance(operand, list) or len(operand) > LONGEST_LIST):
        return f"{operator} (at {path!r}) needs a list of at most {LONGEST_LIST} values."
    if operator in ("$lt", "$lte", "$gt", "$gte") and not (_is_number(operand) or isinstance(operand, str)):
        return f"{operator} (at {path!r}) needs a number or a text."
    if operator == "$exists" and not isinstance(operand, bool):
        return f"$exists (at {path!r}) needs true or false."
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _ordered(value: Any, operand: Any) -> bool:
    return (_is_number(value) and _is_number(operand)) or (isinstance(value, str) and isinstance(operand, str))


OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": equal,
    "$ne": lambda value, operand: not equal(value, operand),
    "$lt": lambda value, operand: _ordered(value, operand) and value < operand,
    "$lte": lambda value, operand: _ordered(value, operand) and value <= operand,
    "$gt": lambda value, operand: _ordered(value, operand) and value > operand,
    "$gte": lambda value, operand: _ordered(value, operand) and value >= operand,
    "$in": among,
    "$nin": lambda value, operand: not among(value, operand),
    "$exists": lambda value, operand: (value is not MISSING) is operand,
}
