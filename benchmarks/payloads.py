"""The requests that a benchmark sends: 2 kB of JSON each, whole and signed before the clock starts. Used by `loader`."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

BODY_BYTES = 2048


@dataclass(frozen=True)
class Wanted:
    """What to send: `kind` is `github`, `event` or `batch`.

    Ids are `<prefix><number>`; every `repeat_every`-th id comes twice (0: none).
    """

    kind: str
    host: str
    prefix: str
    type: str = ""
    token: str = ""
    secret: str = ""
    repeat_every: int = 0
    batch: int = 1

    def id_of(self, number: int) -> str:
        """The id of the request `number`."""
        repeated = self.repeat_every and number % self.repeat_every == self.repeat_every - 1
        return f"{self.prefix}{number - 1 if repeated else number}"


def request(wanted: Wanted, number: int) -> bytes:
    """The bytes of one whole HTTP request."""
    return BUILDERS[wanted.kind](wanted, number)


def data(name: str) -> dict[str, Any]:
    """An object that is BODY_BYTES long as JSON."""
    plain = {"name": name, "items": [{"sku": f"A-{place:05d}", "quantity": place, "price": "19.90"} for place in range(20)], "text": ""}
    return {**plain, "text": "x" * max(0, BODY_BYTES - len(orjson.dumps(plain)))}


def _github(wanted: Wanted, number: int) -> bytes:
    name = wanted.id_of(number)
    body = orjson.dumps({"ref": "refs/heads/main", "after": "a" * 40, "repository": {"full_name": "octo/repo"}, **data(name)})
    signature = hmac.new(wanted.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": name, "X-Hub-Signature-256": f"sha256={signature}"}
    return _post(wanted, "/api/v1/webhooks/github", body, {**headers, "User-Agent": "GitHub-Hookshot/bench"})


def _event(wanted: Wanted, number: int) -> bytes:
    name = wanted.id_of(number)
    body = orjson.dumps({"type": wanted.type, "id": name, "data": data(name)})
    return _post(wanted, "/api/v1/events", body, {"Authorization": f"Bearer {wanted.token}"})


def _batch(wanted: Wanted, number: int) -> bytes:
    names = [f"{wanted.prefix}{number * wanted.batch + place}" for place in range(wanted.batch)]
    body = orjson.dumps({"events": [{"type": wanted.type, "id": name, "data": data(name)} for name in names]})
    return _post(wanted, "/api/v1/events/batch", body, {"Authorization": f"Bearer {wanted.token}"})


def _post(wanted: Wanted, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {wanted.host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode() + body


BUILDERS: dict[str, Callable[[Wanted, int], bytes]] = {"github": _github, "event": _event, "batch": _batch}
