"""What programs and strangers answer, as every database takes it: PostgreSQL keeps neither NUL nor half of a sign.
Called by whoever writes down what came of a call or of an item."""

from typing import Any


def text(given: str) -> str:
    """The text with `�` for what cannot be stored."""
    return given.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def data(value: Any) -> Any:
    """A JSON value, each text and each name in it as `text` has it."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(name) if isinstance(name, str) else name: data(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [data(one) for one in value]
    return value
