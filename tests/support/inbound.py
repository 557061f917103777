"""Plays the senders: signs requests as GitHub, Stripe and the others do, and posts them to a source."""

import hmac
import lzma
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from django.test import Client

EXAMPLES = Path(__file__).parent.parent / "data" / "github_examples.json.xz"
FORM = "application/x-www-form-urlencoded"
SECRET = "It's a Secret to Everybody"


@dataclass(frozen=True)
class Example:
    """One of GitHub's published payloads."""

    event: str
    payload: dict[str, Any]


@lru_cache(maxsize=1)
def github_examples() -> tuple[Example, ...]:
    """All published examples, in their order."""
    kept = orjson.loads(lzma.decompress(EXAMPLES.read_bytes()))
    return tuple(Example(one["event"], one["payload"]) for one in kept["examples"])


def hex_of(secret: str, content: bytes, algorithm: str = "sha256") -> str:
    """HMAC in hex."""
    return hmac.new(secret.encode(), content, algorithm).hexdigest()


def base64_of(key: bytes, content: bytes, algorithm: str = "sha256") -> str:
    """HMAC in base64."""
    return b64encode(hmac.digest(key, content, algorithm)).decode()


def github_headers(body: bytes, *, event: str = "push", delivery: str = "d-1", hook: str = "77", secret: str = SECRET) -> dict[str, str]:
    """What GitHub sends beside a body, signed."""
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Hook-ID": hook,
        "X-Hub-Signature-256": "sha256=" + hex_of(secret, body),
    }


def post(path: str, body: bytes, headers: Mapping[str, str], *, content_type: str = "application/json") -> Any:
    """POST raw bytes as a sender would; the reply. An error inside is an answer, as in a real server."""
    return _client().generic("POST", path, body, content_type=content_type, headers=dict(headers))


@lru_cache(maxsize=1)
def _client() -> Client:
    """One for all: making the middleware anew for each request takes longer than the request."""
    return Client(raise_request_exception=False)


def post_github(payload: Any, *, path: str = "/api/v1/webhooks/github", **names: str) -> Any:
    """Post a payload, signed as GitHub does; `names`: event, delivery, hook, secret."""
    body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return post(path, body, github_headers(body, **names))


def chunks(total: int, size: int = 65_536) -> Iterator[bytes]:
    """So many bytes, a piece at a time."""
    while total > 0:
        yield b"x" * min(size, total)
        total -= size
