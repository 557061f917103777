"""What the current request or task is about: correlation id, actor, causing event. Read by logs, events and audit."""

import contextvars
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

HEADER = "X-Correlation-ID"
_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True)
class Context:
    """Who and what for. `cause_uid` and `hops` are those of the event being handled."""

    correlation_id: str = ""
    actor: str = "system"
    ip: str = ""
    cause_uid: str = ""
    hops: int = 0


NOBODY = Context()
_current: contextvars.ContextVar[Context] = contextvars.ContextVar("steward_context", default=NOBODY)


def current() -> Context:
    """The context of this thread of work."""
    return _current.get()


@contextmanager
def using(**changes: str | int) -> Iterator[Context]:
    """The block works under the current context with `changes`."""
    token = _current.set(replace(_current.get(), **changes))  # type: ignore[arg-type]
    try:
        yield _current.get()
    finally:
        _current.reset(token)


def amend(**changes: str | int) -> None:
    """Change the current context until the enclosing `using` ends: who is calling is known only inside of a request."""
    _current.set(replace(_current.get(), **changes))  # type: ignore[arg-type]


def valid_correlation_id(given: str) -> str:
    """`given` if it may be used as a correlation id (1 to 64 of letters, digits, `._:-`), else a new one."""
    return given if _ALLOWED.fullmatch(given) else secrets.token_hex(16)
