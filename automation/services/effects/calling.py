"""One HTTP request that a rule asks for, and what its reply means. Called by the action `automation.http_request`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from automation.services.effects import fitting
from config.kernel.flow.errors import InvalidInput, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, Outcome
from config.kernel.language import json_text
from config.kernel.wire import http, redact

REPLY_BYTES = 32 * 1024
# Sent twice they do no more than once (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# Failures that may be gone in a while; `blocked_url` stays what it is.
PASSING = frozenset({"dns", "connect", "tls", "timeout"})
_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Wanted:
    """The request, and which statuses are the expected ones: numbers, or classes as `2xx`."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout_seconds: float
    expected: Sequence[str] = ("2xx",)


def call(wanted: Wanted) -> Outcome:
    """Make it, once.

    Raises TemporaryError where trying again may help and can do no harm: an idempotent method that met no answer, or 5xx.
    """
    request = http.Request(wanted.method, wanted.url, wanted.headers, wanted.body, wanted.timeout_seconds, REPLY_BYTES)
    reply = http.send(request)
    where = f"{wanted.method} {redact.url(wanted.url)}"
    if reply.status is None:
        return _failed(wanted, reply.error_code, f"{where} got no answer: {reply.error}", may_pass=reply.error_code in PASSING)
    if not is_expected(reply.status, wanted.expected):
        sentence = f"{where} was answered with status {reply.status}, not {', '.join(wanted.expected)}. {_said(reply)}".strip()
        may_pass = reply.status >= 500 or reply.status in _BUSY
        return _failed(wanted, f"status_{reply.status}", sentence, may_pass=may_pass, wait_seconds=_retry_after(reply))
    return Done(_shown(reply))


def is_expected(status: int, expected: Sequence[str]) -> bool:
    """Whether `status` is one of `expected`."""
    return any(str(status) == one or (one.endswith("xx") and str(status)[0] == one[0]) for one in expected)


def _failed(wanted: Wanted, code: str, sentence: str, *, may_pass: bool, wait_seconds: float | None = None) -> Failed:
    if may_pass and wanted.method in IDEMPOTENT:
        raise TemporaryError(sentence, code=code, retry_after_seconds=wait_seconds)
    return Failed(code, sentence)


def _retry_after(reply: http.Reply) -> float | None:
    given = reply.headers.get("retry-after", "")
    return float(given) if given.isdecimal() and len(given) < 7 else None


def _said(reply: http.Reply) -> str:
    said = redact.text(" ".join(reply.body[:300].decode("utf-8", errors="replace").split()))
    return f"It said: {said}" if said else ""


def _shown(reply: http.Reply) -> dict[str, Any]:
    """For the output: the reply, its JSON where it is some, at most REPLY_BYTES of it."""
    found: dict[str, Any] = {
        "status": reply.status,
        "headers": {name[:100]: fitting.head(value, room=500) for name, value in list(redact.headers(reply.headers).items())[:40]},
        "bytes": len(reply.body),
        "is_cut": len(reply.body) >= REPLY_BYTES,
        "duration_ms": reply.duration_ms,
    }
    with suppress(InvalidInput):
        whole = {**found, "json": json_text.read(reply.body)}
        if len(orjson.dumps(whole["json"])) <= REPLY_BYTES:
            json_text.read(orjson.dumps(whole))  # a level deeper it may be too deep to be kept
            return whole
    return {**found, "body": fitting.head(reply.body.decode("utf-8", errors="replace"), room=REPLY_BYTES)}
