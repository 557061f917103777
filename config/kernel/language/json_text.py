"""JSON as we write and read it, the same for answers, commands, forms and plug-ins. Pure; called by doors and by whoever stores JSON."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise

from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput

MAX_DEPTH, WRITABLE_DEPTH = 200, 254  # levels of JSON: what we take, what orjson can write
_NUL = b"\\u0000"
_WRITE = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS


def write(data: Any) -> bytes:
    """JSON bytes; times as `2026-01-31T12:00:00.000Z`. Nothing for None."""
    return b"" if data is None else orjson.dumps(data, default=_plain, option=_WRITE)


def read(raw: bytes, *, what: str = "The body") -> Any:
    """The value of JSON bytes that can be stored and shown again. Raises InvalidInput that says what is wrong where."""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{what} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.", code="parse_error") from None
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_too_deep(data):
        raise InvalidInput(f"{what} is nested deeper than {MAX_DEPTH} levels. Send something flatter.", code="parse_error")
    # Without the escaped backslashes, what is left is the character itself.
    if _NUL in raw and _NUL in raw.replace(b"\\\\", b""):
        raise InvalidInput(f"{what} holds a NUL character (\\u0000), which cannot be stored. Leave it out.", code="parse_error")
    return data


def _is_too_deep(data: Any) -> bool:
    # orjson writes 254 levels and no more; those that must stay free are put around the value.
    for _ in range(WRITABLE_DEPTH - MAX_DEPTH):
        data = [data]
    try:
        orjson.dumps(data)
    except orjson.JSONEncodeError:
        return True
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return clock.text(value)
    if isinstance(value, Decimal | Promise):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
