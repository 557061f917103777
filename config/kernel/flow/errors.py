"""Errors that say whether trying again makes sense. The raiser knows; nobody reads the text to find out."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger("kernel.errors")


class StewardError(Exception):
    """What happened, to what, what to do next, in one or two sentences that a person may read."""

    status = 500
    code = "error"

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code


class TemporaryError(StewardError):
    """Trying again later may help."""

    status = 503
    code = "temporary"

    def __init__(self, message: str, *, code: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class LimitReached(TemporaryError):
    """A rate limit or a quota; `retry_after_seconds` says when there is room again."""

    status = 429
    code = "rate_limited"


class PermanentError(StewardError):
    """Trying the same again cannot help."""

    status = 400
    code = "invalid"


class InvalidInput(PermanentError):
    """What was typed or sent cannot be taken. `fields`: name → sentences."""

    def __init__(self, message: str, *, fields: Mapping[str, Sequence[str]] | None = None, code: str = "") -> None:
        super().__init__(message, code=code)
        self.fields = {name: list(sentences) for name, sentences in (fields or {}).items()}


class Unauthenticated(PermanentError):
    """Nobody we know sent this."""

    status = 401
    code = "unauthenticated"


class Forbidden(PermanentError):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class NotFound(PermanentError):
    """There is no such thing."""

    status = 404
    code = "not_found"


class Conflict(PermanentError):
    """It exists already, or its state does not allow the step."""

    status = 409
    code = "conflict"


class TooLarge(PermanentError):
    """More bytes than the cap."""

    status = 413
    code = "too_large"


class UnsupportedMedia(PermanentError):
    """Neither JSON nor a form."""

    status = 415
    code = "unsupported_media_type"


@dataclass
class Captured:
    """What `capture` caught, or None when all went well."""

    error: Exception | None = None


_logged: dict[tuple[str, str], float] = {}


@contextmanager
def capture(name: str, /, *, log_every_seconds: float = 0, **ids: object) -> Iterator[Captured]:
    """Run a block whose failure must not stop the loop around it: the one broad except of the house.

    The error is logged under the fixed `name` with the given ids and left in `.error`; with `log_every_seconds` no more often.
    """
    caught = Captured()
    try:
        yield caught
    except Exception as error:
        caught.error = error
        if log_every_seconds:
            key, now = (name, str(ids)), time.monotonic()
            if now - _logged.get(key, float("-inf")) < log_every_seconds:
                return
            _logged[key] = now
        log.exception(name, extra={"context": {key: str(value) for key, value in ids.items()}})
