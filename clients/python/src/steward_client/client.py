"""Publishes events to Steward over its REST API. For applications; needs nothing but the standard library."""

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

BATCH = 1000
RETRIED = (429, 503)
LONGEST_WAIT_SECONDS = 60.0


class StewardClientError(Exception):
    """Publishing did not succeed; the message says what happened and what to do."""


class Unreachable(StewardClientError):
    """Nobody answered, however often it was tried. Whether the event arrived is unknown: publish it again with the same id."""


class ApiError(StewardClientError):
    """Steward refused. `status`: the HTTP status; `correlation_id`: what to look for in its logs."""

    def __init__(self, message: str, *, status: int, correlation_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.correlation_id = correlation_id


@dataclass(frozen=True)
class Published:
    """What became of one event. `is_new` is False when this id was published before; a refused one has `errors`."""

    id: str
    is_new: bool
    errors: tuple[str, ...] = ()


class Client:
    """Speaks to one installation. Safe to share between threads."""

    def __init__(self, base_url: str, token: str, timeout: float = 10, *, retries: int = 4) -> None:
        """`base_url`: where Steward answers, `https://steward.example.com`. `timeout`: seconds per request. `retries`: after the first."""
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with https:// (or http://), not {base_url!r}")
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def publish(self, type: str, data: Mapping[str, Any], id: str | None = None, subject: str = "") -> Published:
        """Publish one event. Without `id` one is made, so that a retry never makes a second event.

        `subject` says what it happened to, as `kind:id`.

        Raises ApiError when it is refused, Unreachable when nobody answers.
        """
        event = _event({"type": type, "data": data, "id": id, "subject": subject})
        status, _ = self._post("/api/v1/events", event)
        return Published(event["id"], is_new=status != 200)

    def publish_many(self, events: Iterable[Mapping[str, Any]]) -> list[Published]:
        """Publish events (`{"type", "data", "id"?, "subject"?}`) in requests of up to 1,000; a result for each, in order.

        A refused one stops none. Raises as `publish` does when a whole request fails; what went before it is published.
        """
        results: list[Published] = []
        for batch in _batches(events):
            _, answer = self._post("/api/v1/events/batch", {"events": batch})
            results += [
                Published(event["id"], one["status"] == "created", tuple(one.get("errors", ())))
                for event, one in zip(batch, answer["results"], strict=True)
            ]
        return results

    def _post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode()
        for attempt in range(self.retries + 1):
            is_last = attempt == self.retries
            try:
                return self._once(path, content)
            except urllib.error.HTTPError as refusal:
                with refusal:
                    if refusal.code not in RETRIED or is_last:
                        raise _refused(refusal) from None
                    wait = _retry_after(refusal, attempt)
            except (OSError, http.client.HTTPException) as failure:
                if is_last:
                    raise Unreachable(
                        f"No answer from {self.base_url} in {attempt + 1} tries: {failure}. Publish again, same id."
                    ) from failure
                wait = _backoff(attempt)
            time.sleep(wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _once(self, path: str, content: bytes) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(self.base_url + path, data=content, headers=headers, method="POST")  # noqa: S310 - scheme is checked
        with self._opener.open(request, timeout=self.timeout) as reply:
            return reply.status, _decoded(reply.read(), reply.status)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET and carry the token elsewhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse; the caller sees the 3xx."""


def _event(given: Mapping[str, Any]) -> dict[str, Any]:
    event = {"type": given["type"], "data": dict(given["data"]), "id": given.get("id") or f"evt_{uuid.uuid4().hex}"}
    return {**event, "subject": given["subject"]} if given.get("subject") else event


def _batches(events: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    waiting = map(_event, events)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _backoff(attempt: int) -> float:
    """Seconds: 0.5, 1, 2, 4 … up to a minute."""
    return float(min(0.5 * 2**attempt, LONGEST_WAIT_SECONDS))


def _retry_after(refusal: urllib.error.HTTPError, attempt: int) -> float:
    given = refusal.headers.get("Retry-After", "")
    return min(float(given), LONGEST_WAIT_SECONDS) if given.isascii() and given.isdigit() else _backoff(attempt)


def _refused(refusal: urllib.error.HTTPError) -> ApiError:
    try:
        problem = json.loads(refusal.read())
        detail, correlation_id = str(problem.get("detail") or problem.get("title") or ""), str(problem.get("correlation_id", ""))
    except (ValueError, AttributeError, OSError):
        detail, correlation_id = "", ""
    advice = {401: "Check the token.", 403: "The token lacks the scope events:publish."}.get(refusal.code, "")
    sentence = " ".join(part for part in (f"Steward answered {refusal.code}.", detail, advice) if part)
    return ApiError(sentence, status=refusal.code, correlation_id=correlation_id)


def _decoded(content: bytes, status: int) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ApiError("The answer is not Steward's. Check base_url.", status=status)
    return answer
