"""Works an item off by sending it to an address: POST of the payload as JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
from django import forms

from config.acts.plugins.processors import Item, Processor, processors
from config.kernel.flow.errors import LimitReached, PermanentError, TemporaryError
from config.kernel.flow.outcomes import Done, Outcome
from config.kernel.wire import http, redact
from config.kernel.wire.http import Reply

# Answers that ask to come again; every other 4xx says that the same would be refused again.
COME_AGAIN = (408, 425, 429)
REPLY_BYTES = 16 * 1024
LONGEST_WAIT_SECONDS = 3600.0


class Parameters(forms.Form):
    """Where to, as whom, and how long to wait."""

    url = forms.URLField(
        label="URL", max_length=2000, assume_scheme="https", help_text="Each item is sent here: `POST` with its payload as JSON."
    )
    token = forms.CharField(
        label="Token",
        required=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Sent as `Authorization: Bearer …`.",
    )
    timeout_seconds = forms.IntegerField(
        label="Timeout (seconds)", min_value=1, max_value=3600, initial=30, help_text="For the whole call, to the last byte of the reply."
    )


class HttpCall(Processor):
    """2xx: done. 5xx, 408, 425, 429 and no answer: again, by the queue's policy. Any other answer: failed."""

    title = "HTTP call"
    about = "Sends each item to a URL. 2xx means done; 5xx, 408, 425, 429 and silence mean again; everything else means failed."
    Parameters = Parameters

    def process(self, item: Item, params: Mapping[str, Any]) -> Outcome:
        """One call; the receiver tells repeats by the header `Idempotency-Key`."""
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": item.key,
            "X-Steward-Item": item.id,
            "X-Steward-Attempt": str(item.attempt),
        }
        if token := params.get("token"):
            headers["Authorization"] = f"Bearer {token}"
        timeout = float(params.get("timeout_seconds") or 30)
        body = orjson.dumps(dict(item.payload))
        request = http.Request("POST", params["url"], headers, body, timeout_seconds=timeout, max_reply_bytes=REPLY_BYTES)
        return _judged(http.send(request), where=redact.url(params["url"]))


def _judged(reply: Reply, *, where: str) -> Outcome:
    if reply.status is None:
        said = f"{where} could not be reached: {reply.error}"
        raise (
            PermanentError(said, code=reply.error_code)
            if reply.error_code == "blocked_url"
            else TemporaryError(said, code=reply.error_code)
        )
    if 200 <= reply.status < 300:
        return Done({"status": reply.status, "reply": _read(reply.body)})
    words = redact.text(reply.body[:300].decode(errors="replace")).strip()
    said = f"{where} answered {reply.status}" + (f": {words}" if words else " without a word.")
    if reply.status == 429:
        raise LimitReached(said, retry_after_seconds=_seconds(reply.headers.get("retry-after", "")))
    if reply.status >= 500 or reply.status in COME_AGAIN:
        raise TemporaryError(said, code="http_status", retry_after_seconds=_seconds(reply.headers.get("retry-after", "")))
    raise PermanentError(said, code="http_status")


def _seconds(text: str) -> float | None:
    """`Retry-After` in seconds; as a date it is not followed."""
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() and len(text) < 7 else None


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")


processors.register("automation.http_call", HttpCall(), module=__name__)
