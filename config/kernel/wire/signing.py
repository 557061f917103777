"""Signs what goes out and verifies what comes in: Standard Webhooks 1.0.0, `sha256=` headers, ed25519. Called by engines and intake."""

import base64
import binascii
import hmac
import re
import secrets as randomness
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from config.kernel.flow.errors import PermanentError

SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
TOLERANCE_SECONDS = 300
# Digits of a Unix time up to the year 33658. `int` itself raises on numbers of 4,300 digits.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class SignatureError(PermanentError):
    """A signature that does not hold. `reason`: `missing_header, bad_timestamp, too_old, too_new, no_secret, bad_key` or `no_match`."""

    status = 401
    code = "bad_signature"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def new_secret(length_bytes: int = 32) -> str:
    """`whsec_` + base64 of so many random bytes."""
    return SECRET + base64.b64encode(randomness.token_bytes(length_bytes)).decode()


def secret_bytes(secret: str) -> bytes:
    """The key Standard Webhooks signs with: the base64 behind `whsec_` decoded, else the UTF-8 bytes of the whole secret."""
    if secret.startswith(SECRET):
        decoded = _decoded(secret[len(SECRET) :])
        if decoded:
            return decoded
    return _utf8(secret)


def standard_sign(secret: str, msg_id: str, timestamp: int, body: bytes) -> str:
    """The token `v1,<base64>`. `timestamp` is Unix time in whole seconds. Several tokens go into one header with a space between."""
    return "v1," + base64.b64encode(hmac.digest(secret_bytes(secret), _content(msg_id, str(timestamp), body), "sha256")).decode()


def standard_verify(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime | float, tolerance: float = TOLERANCE_SECONDS
) -> None:
    """Return when one token of `webhook-signature` holds under one of `secrets` and the time is within `tolerance` seconds.

    Header names in any case. A secret beginning `whpk_` is a public key and verifies `v1a` tokens. Raises nothing but SignatureError.
    """
    found = {str(name).lower(): value for name, value in headers.items()}
    msg_id, timestamp, signature = (str(found.get(f"webhook-{part}") or "") for part in ("id", "timestamp", "signature"))
    if not (msg_id and timestamp and signature):
        raise SignatureError("missing_header", "One of the headers webhook-id, webhook-timestamp and webhook-signature is missing.")
    check_timestamp(timestamp, now, tolerance)
    if not any(secrets):
        raise SignatureError("no_secret", "There is no secret to verify the signature with. Set one.")
    content = _content(msg_id, timestamp, body)
    if not any(_holds(secret, content, token) for secret in secrets if secret for token in signature.split()):
        raise SignatureError("no_match", "No signature in webhook-signature fits the body and a known secret.")


def check_timestamp(timestamp: str, now: datetime | float, tolerance: float = TOLERANCE_SECONDS) -> int:
    """The Unix time that was sent, in whole seconds, when it is within `tolerance` seconds of `now`. Raises SignatureError."""
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("bad_timestamp", "The time stamp is not a Unix time in whole seconds.")
    sent = int(timestamp)
    age = (now.timestamp() if isinstance(now, datetime) else now) - sent
    if age > tolerance:
        raise SignatureError("too_old", f"The time stamp is {age:.0f} s old; at most {tolerance:.0f} s are taken. Compare the clocks.")
    if age < -tolerance:
        raise SignatureError("too_new", f"The time stamp is {-age:.0f} s ahead; at most {tolerance:.0f} s are taken. Compare the clocks.")
    return sent


def _holds(secret: str, content: bytes, token: str) -> bool:
    version, _, given = token.partition(",")
    if secret.startswith(PUBLIC):
        return version == "v1a" and _public_holds(secret, content, given)
    expected = base64.b64encode(hmac.digest(secret_bytes(secret), content, "sha256"))
    return version == "v1" and hmac.compare_digest(expected, _utf8(given))


def _content(msg_id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join((_utf8(msg_id), _utf8(timestamp), body))


def hub_sign(secret: str, body: bytes) -> str:
    """`sha256=<hex>`, as in X-Hub-Signature-256 and X-Webhook-Signature."""
    return "sha256=" + hmac.new(_utf8(secret), body, "sha256").hexdigest()


def hub_verify(secret: str, header: str, body: bytes) -> bool:
    """Whether `header` is the signature of `body`. Never raises; False for an empty secret."""
    return bool(secret) and hmac.compare_digest(_utf8(hub_sign(secret, body)), _utf8(header))


def verify_signature(payload: bytes, signature: str, secret: str) -> bool:
    """For receivers: whether `signature` (`sha256=<hex>`) fits the raw bytes. Never raises."""
    return hub_verify(secret, signature, payload)


def ed25519_new() -> tuple[str, str]:
    """A new key pair: `whsk_` + base64 of the 64 bytes seed and public key, and `whpk_` + base64 of the public key."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    return PRIVATE + base64.b64encode(key.private_bytes_raw() + public).decode(), PUBLIC + base64.b64encode(public).decode()


def ed25519_public(private: str) -> str:
    """The `whpk_` key that belongs to a `whsk_` key. Raises SignatureError (`bad_key`)."""
    return PUBLIC + base64.b64encode(_private_key(private).public_key().public_bytes_raw()).decode()


def ed25519_sign(private: str, msg_id: str, timestamp: int, body: bytes) -> str:
    """The token `v1a,<base64>`. Takes secret keys of 32 (seed) and 64 bytes. Raises SignatureError (`bad_key`)."""
    return "v1a," + base64.b64encode(_private_key(private).sign(_content(msg_id, str(timestamp), body))).decode()


def ed25519_verify(public: str, signature: str, msg_id: str, timestamp: int | str, body: bytes) -> bool:
    """Whether the token `v1a,<base64>` holds under the `whpk_` key. Never raises."""
    version, _, given = signature.partition(",")
    return version == "v1a" and _public_holds(public, _content(msg_id, str(timestamp), body), given)


def _public_holds(public: str, content: bytes, given: str) -> bool:
    signature, key = _decoded(given), _decoded(public.removeprefix(PUBLIC))
    if not signature or not key or len(key) != 32:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _private_key(private: str) -> Ed25519PrivateKey:
    raw = _decoded(private.removeprefix(PRIVATE)) if private.startswith(PRIVATE) else b""
    if len(raw) not in (32, 64):
        raise SignatureError("bad_key", "The signing key is not of the form whsk_ + base64 of 32 or 64 bytes. Make a new one.")
    key = Ed25519PrivateKey.from_private_bytes(raw[:32])
    if raw[32:] not in (b"", key.public_key().public_bytes_raw()):
        raise SignatureError("bad_key", "The two halves of the signing key do not belong together. Make a new one.")
    return key


def _decoded(text: str) -> bytes:
    """The bytes of standard base64, its padding optional as in the reference libraries; empty when it is none."""
    if not _BASE64.fullmatch(text):
        return b""
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        return b""


def _utf8(text: str) -> bytes:
    """UTF-8 bytes; never raises, so that a lone surrogate in a header is a mismatch and not an error."""
    return text.encode("utf-8", "surrogatepass")
