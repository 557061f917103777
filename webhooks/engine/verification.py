"""Says whether an inbound request comes from who it claims, by the raw bytes, and which names it bears. Pure.
Whatever the request holds, nothing but a `Refusal` is raised. Called by intake and by reprocessing."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from config.kernel.wire import signing
from webhooks.engine.presets import BODY, EITHER, Rules

MAX_SIGNATURES = 16
# These send the secret itself and sign nothing.
TOKEN_SCHEMES = ("token", "bearer", "basic")
_MILLISECONDS_FROM = 100_000_000_000


class Refusal(Exception):
    """Why a request is not taken: a fixed word and a sentence for the operator, and what the sender may hear."""

    def __init__(
        self, code: str, explanation: str, *, http_status: int = 401, detail: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(explanation)
        self.code = code
        self.explanation = explanation
        self.http_status = http_status
        self.retry_after_seconds = retry_after_seconds
        self.detail = detail or ("Signature missing or wrong." if http_status == 401 else explanation)


@dataclass(frozen=True)
class Incoming:
    """One request as it came: headers by lower-case name, the raw bytes of the body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def first(self, names: Sequence[str]) -> str:
        """The first of these headers that is there and not empty."""
        for name in names:
            if value := self.headers.get(name, "").strip():
                return value
        return ""


@dataclass(frozen=True)
class Claim:
    """What the sender brought: digests over one of `prefixes` followed by the body, or a `token`; and when it was sent."""

    digests: tuple[bytes, ...] = ()
    prefixes: tuple[bytes, ...] = (b"",)
    token: bytes = b""
    stamp: str = ""


def verify(incoming: Incoming, *, rules: Rules, secrets: Sequence[str], now: datetime) -> None:
    """Raises Refusal unless the request is proved by one of `secrets` and, where the sender says a time, is recent (± tolerance)."""
    if not any(secrets):
        raise Refusal(
            "secret_unset",
            "This source has no secret, so nothing is accepted. Set one, and set the same at the sender.",
            http_status=503,
            detail="This source is not set up.",
        )
    claim = claim_of(incoming, rules)
    if not any(is_proved(claim, incoming.body, rules=rules, secret=secret) for secret in secrets if secret):
        raise Refusal("wrong_secret", "The proof does not fit the body under any secret that is accepted now.")
    _check_time(claim.stamp, rules, now)


def claim_of(incoming: Incoming, rules: Rules) -> Claim:
    """What the request brings as proof. Raises Refusal when it is missing or cannot be read."""
    given = incoming.first(rules.headers)
    if not given:
        if incoming.headers.get("x-hub-signature") and "x-hub-signature-256" in rules.headers:
            raise Refusal("sha1_only", "Only the old SHA-1 signature (X-Hub-Signature) was sent; X-Hub-Signature-256 is required.")
        raise Refusal("signature_missing", f"The header {rules.headers[0]} is missing. Is a secret set at the sender?")
    return _READERS[rules.scheme](given, incoming, rules)


def is_proved(claim: Claim, body: bytes, *, rules: Rules, secret: str) -> bool:
    """Whether `secret` proves `body`, in constant time."""
    key = key_of(secret, rules)
    if rules.scheme in TOKEN_SCHEMES:
        return hmac.compare_digest(claim.token, key)
    expected = [digest(key, prefix, body, rules.algorithm) for prefix in claim.prefixes]
    return any(hmac.compare_digest(given, one) for one in expected for given in claim.digests)


def digest(key: bytes, prefix: bytes, body: bytes, algorithm: str) -> bytes:
    """HMAC over prefix and body, without joining them first: a body may be large."""
    if not prefix:
        return hmac.digest(key, body, algorithm)
    made = hmac.new(key, prefix, algorithm)
    made.update(body)
    return made.digest()


def seconds_of(text: str) -> float | None:
    """Unix seconds of a time header: seconds, milliseconds or ISO 8601; None when it is none of these."""
    text = text.strip()
    try:
        if text.isascii() and text.isdigit() and len(text) <= 15:
            number = int(text)
            return number / 1000 if number >= _MILLISECONDS_FROM else float(number)
        moment = datetime.fromisoformat(text[:40])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _check_time(stamp: str, rules: Rules, now: datetime) -> None:
    if not stamp:
        if rules.is_timestamp_required:
            raise Refusal("timestamp_missing", "The sender's time is missing.")
        return
    sent_at = seconds_of(stamp)
    if sent_at is None:
        raise Refusal("timestamp_malformed", "The sender's time cannot be read: neither Unix seconds nor ISO 8601.")
    age = now.timestamp() - sent_at
    if abs(age) > rules.tolerance_seconds:
        side = "old" if age > 0 else "ahead of our clock"
        raise Refusal(
            "clock_skew",
            f"The proof is right, but the request is {abs(age):.0f} s {side}; at most {rules.tolerance_seconds} s are allowed. "
            "Compare the clocks, or it is a replay.",
        )


def _hmac(given: str, incoming: Incoming, rules: Rules) -> Claim:
    if rules.is_prefix_required and not given.startswith(rules.prefix):
        raise Refusal("signature_malformed", f"The header {rules.headers[0]} does not begin with {rules.prefix}")
    stamp = incoming.first(rules.timestamp_headers)
    prefixes = _prefixes(stamp, incoming.body, rules)
    if not prefixes:
        raise Refusal("timestamp_missing", "The signature must cover a time, but the sender's time is missing.")
    return Claim(digests=(_decoded(given.removeprefix(rules.prefix), rules.encoding),), prefixes=prefixes, stamp=stamp)


def _prefixes(stamp: str, body: bytes, rules: Rules) -> tuple[bytes, ...]:
    """What may stand before the body in what was signed."""
    stamped = (_octets(f"{stamp}."),) if stamp and rules.signed != BODY else ()
    # Else a request that was signed with its time, `1700000000.a=1`, could be sent again later as a body without one.
    is_plain = rules.signed == BODY or (rules.signed == EITHER and not body[:1].isdigit())
    return (*stamped, b"") if is_plain else stamped


def _stripe(given: str, _incoming: Incoming, _rules: Rules) -> Claim:
    parts = [part.strip().partition("=") for part in given.split(",")[:MAX_SIGNATURES]]
    stamps = [value for name, _, value in parts if name == "t"]
    digests = _readable([value for name, _, value in parts if name == "v1"], "hex")
    if not (stamps and digests):
        raise Refusal("signature_malformed", "The header must read t=<seconds>,v1=<hex>.")
    return Claim(digests=digests, prefixes=(_octets(f"{stamps[0]}."),), stamp=stamps[0])


def _slack(given: str, incoming: Incoming, rules: Rules) -> Claim:
    stamp = incoming.first(rules.timestamp_headers)
    if not given.startswith(rules.prefix):
        raise Refusal("signature_malformed", f"The header does not begin with {rules.prefix}")
    return Claim(digests=(_decoded(given.removeprefix(rules.prefix), "hex"),), prefixes=(_octets(f"v0:{stamp}:"),), stamp=stamp)


def _standard(given: str, incoming: Incoming, rules: Rules) -> Claim:
    stamp, message_id = incoming.first(rules.timestamp_headers), incoming.first(rules.id_headers)
    tokens = [token.partition(",") for token in given.split()[:MAX_SIGNATURES]]
    digests = _readable([value for version, _, value in tokens if version == "v1"], "base64")
    if not digests:
        raise Refusal("signature_malformed", "The header holds no token of the form v1,<base64>.")
    if not message_id:
        raise Refusal("id_missing", "The header webhook-id is missing; the signature covers it.")
    return Claim(digests=digests, prefixes=(_octets(f"{message_id}.{stamp}."),), stamp=stamp)


def _token(given: str, _incoming: Incoming, _rules: Rules) -> Claim:
    return Claim(token=_octets(given))


def _bearer(given: str, incoming: Incoming, rules: Rules) -> Claim:
    word, _, token = given.partition(" ")
    if word.lower() != "bearer" or not token.strip():
        raise Refusal("signature_malformed", "The header Authorization does not read Bearer <token>.")
    return Claim(token=_octets(token.strip()), stamp=incoming.first(rules.timestamp_headers))


def _basic(given: str, incoming: Incoming, rules: Rules) -> Claim:
    word, _, coded = given.partition(" ")
    if word.lower() != "basic":
        raise Refusal("signature_malformed", "The header Authorization does not read Basic <user:password in base64>.")
    return Claim(token=_decoded(coded.strip(), "base64"), stamp=incoming.first(rules.timestamp_headers))


def _readable(texts: Sequence[str], encoding: str) -> tuple[bytes, ...]:
    """Those that can be decoded: of several signatures one good one is enough."""
    found = []
    for text in texts:
        try:
            found.append(_decoded(text, encoding))
        except Refusal:
            continue
    return tuple(found)


def _decoded(text: str, encoding: str) -> bytes:
    try:
        return binascii.unhexlify(text) if encoding == "hex" else b64decode(text, validate=True)
    except ValueError:
        raise Refusal("signature_malformed", f"The signature is not {encoding}.") from None


def _octets(text: str) -> bytes:
    """Header text as the bytes that came: servers hand headers over as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def key_of(secret: str, rules: Rules) -> bytes:
    """The bytes behind a secret: its UTF-8, but what `whsec_` covers in base64 for Standard Webhooks."""
    return signing.secret_bytes(secret) if rules.scheme == "standard" else secret.encode("utf-8", "backslashreplace")


_READERS: Mapping[str, Callable[[str, Incoming, Rules], Claim]] = {
    "hmac": _hmac,
    "stripe": _stripe,
    "slack": _slack,
    "standard": _standard,
    "token": _token,
    "bearer": _bearer,
    "basic": _basic,
}
