"""Verifies deliveries of Steward: Standard Webhooks 1.0.0, and the `sha256=` headers. For the application that receives them."""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class VerificationError(Exception):
    """The delivery is not from the holder of the secret, is too old, or is no event. Answer 401 and do nothing."""


@dataclass(frozen=True)
class Event:
    """A delivered event. `delivery_id` is the same on every retry: remember it to act once."""

    id: str
    type: str
    data: dict[str, Any]
    timestamp: str
    delivery_id: str


def verify(payload: bytes, headers: Mapping[str, str], secret: str | Sequence[str], tolerance_seconds: float = 300) -> Event:
    """The event, once `webhook-signature` holds over the raw body and the time is within `tolerance_seconds` of this machine's.

    `payload`: the body as received, before any parsing. `headers`: names in any case. `secret`: one, or several during a rotation.
    Raises VerificationError.
    """
    found = {str(name).lower(): str(value) for name, value in headers.items()}
    try:
        delivery_id, timestamp, signature = (found[f"webhook-{part}"] for part in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise VerificationError(f"The header {missing} is missing: this is no signed delivery.") from None
    _check_age(timestamp, tolerance_seconds)
    content = b".".join((_utf8(delivery_id), _utf8(timestamp), payload))
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not any(_holds(one, content, signature) for one in secrets if one):
        raise VerificationError("No signature fits: compare the secret, and pass the body exactly as it was received.")
    return _event(payload, delivery_id)


def verify_signature(payload: bytes, signature: str, secret: str) -> bool:
    """Whether `X-Hub-Signature-256` (or `X-Webhook-Signature`), `sha256=<hex>`, fits the raw body. Never raises."""
    expected = "sha256=" + hmac.new(_utf8(secret), payload, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(_utf8(expected), _utf8(signature or ""))


def _check_age(timestamp: str, tolerance_seconds: float) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationError("The header webhook-timestamp holds no Unix time in seconds.")
    age = time.time() - int(timestamp)
    if abs(age) > tolerance_seconds:
        raise VerificationError(f"It was signed {age:.0f} s ago; at most {tolerance_seconds:.0f} s are taken. Compare the clocks.")


def _holds(secret: str, content: bytes, header: str) -> bool:
    expected = base64.b64encode(hmac.digest(_key(secret), content, "sha256"))
    tokens = (token.partition(",") for token in header.split())
    return any(version == "v1" and hmac.compare_digest(expected, _utf8(given)) for version, _, given in tokens)


def _key(secret: str) -> bytes:
    """The base64 behind `whsec_`, decoded; else the secret as it is."""
    bare = secret.removeprefix("whsec_").rstrip("=")
    if secret.startswith("whsec_"):
        try:
            decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        if decoded:
            return decoded
    return _utf8(secret)


def _event(payload: bytes, delivery_id: str) -> Event:
    try:
        body = json.loads(payload)
        return Event(str(body["eventId"]), str(body["eventType"]), dict(body["data"]), str(body["timestamp"]), delivery_id)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise VerificationError("The signature holds, but the body is no event of Steward.") from None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
