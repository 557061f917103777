"""Turns values into the signed request of one attempt, and several envelopes into one batch. Pure; called by dispatch.

The bytes that are signed are the bytes that are sent and stored; nothing here writes a body anew.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from config.kernel.wire import signing
from webhooks.enums import Security

USER_AGENT = "Steward/1.0 (+webhooks)"
BATCH = "events.batch"
MOST_HEADERS, LONGEST_VALUE = 30, 4096

# Names an endpoint may not set itself: ours, and those that belong to the connection.
RESERVED = frozenset(
    {
        *("content-type", "content-length", "content-encoding", "user-agent", "accept-encoding", "host", "expect"),
        *("connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"),
        *("traceparent", "tracestate", "x-correlation-id", "x-hub-signature", "x-hub-signature-256"),
    }
)
RESERVED_PREFIXES = ("webhook-", "x-webhook-", "proxy-", ":")
CREDENTIALS = frozenset({"authorization", "x-api-key"})
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_TRACE = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Credentials:
    """How an endpoint wants to know us. `old_secrets` still sign beside `secret`; `signing_key` (`whsk_…`) adds `v1a` signatures.

    For `bearer_token` and `api_key` the secret is the token itself.
    """

    security: str = Security.HMAC_SHA256
    secret: str = field(default="", repr=False)
    old_secrets: Sequence[str] = field(default=(), repr=False)
    signing_key: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Message:
    """What one attempt says. `uid` is the event's or the batch's id, the same over all attempts.

    `timestamp` is this attempt's, in Unix seconds; `attempt` counts from 1.
    """

    event_type: str
    uid: str
    body: bytes
    attempt: int
    timestamp: int
    correlation_id: str = ""


@dataclass(frozen=True)
class Signed:
    """A request ready to go. The headers hold secrets: redact them before they are stored or shown."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def sign(message: Message, *, url: str, credentials: Credentials) -> Signed:
    """The request of one attempt: our headers, the endpoint's own, and what proves that it comes from us.

    HMAC endpoints get Standard Webhooks 1.0.0 (`webhook-signature`, a `v1` token per secret that still signs) and the two
    `sha256=` headers over the body, keyed by the current secret; bearer and API key endpoints get their one header and no signature.
    """
    headers = _own(credentials.headers)
    headers |= _described(message)
    headers |= _proof(message, credentials)
    return Signed(url, headers, message.body)


def batch_body(*, uid: str, timestamp: str, bodies: Sequence[bytes]) -> bytes:
    """One ordinary envelope of type `events.batch` whose `data.events` are the given envelopes, byte for byte, in this order.

    `timestamp` is ISO 8601 text as in every envelope.
    """
    head = orjson.dumps({"event": BATCH, "eventType": BATCH, "eventId": uid, "timestamp": timestamp})
    return head[:-1] + b',"data":{"events":[' + b",".join(bodies) + b"]}}"


def header_problems(headers: object, *, security: str) -> list[str]:
    """Sentences against an endpoint's own headers; an empty list when they may be sent."""
    if not isinstance(headers, Mapping):
        return ["Headers must be an object of names and texts."]
    if len(headers) > MOST_HEADERS:
        return [f"At most {MOST_HEADERS} headers may be added."]
    found = [problem for name, value in headers.items() if (problem := _header_problem(name, value, security))]
    if len({str(name).lower() for name in headers}) < len(headers):
        found.append("A header is named twice; upper and lower case make no difference.")
    return found


def traceparent(message: Message) -> str:
    """The W3C trace header: the correlation id as the trace where it is 32 hexadecimal digits, else a digest of it."""
    wanted = (message.correlation_id or message.uid).replace("-", "").lower()
    is_usable = _TRACE.fullmatch(wanted) and wanted != "0" * 32
    trace = wanted if is_usable else blake2b(wanted.encode(), digest_size=16).hexdigest()
    span = blake2b(f"{message.uid}/{message.attempt}".encode(), digest_size=8).hexdigest()
    return f"00-{trace}-{span}-01"


def is_reserved(name: str) -> bool:
    """Whether only we may set the header `name`."""
    lower = name.lower()
    return lower in RESERVED or lower.startswith(RESERVED_PREFIXES)


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    # A row that was written past the check must not outdo our own headers.
    return {name: value for name, value in headers.items() if not is_reserved(name)}


def _described(message: Message) -> dict[str, str]:
    timestamp = str(message.timestamp)
    found = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": message.uid,
        "webhook-timestamp": timestamp,
        "X-Webhook-Event": message.event_type,
        "X-Webhook-Id": message.uid,
        "X-Webhook-Attempt": str(message.attempt),
        "X-Webhook-Timestamp": timestamp,
        "traceparent": traceparent(message),
    }
    if message.correlation_id:
        found["X-Correlation-ID"] = message.correlation_id
    return found


def _proof(message: Message, credentials: Credentials) -> dict[str, str]:
    if credentials.security == Security.BEARER_TOKEN:
        return {"Authorization": f"Bearer {credentials.secret}"}
    if credentials.security == Security.API_KEY:
        return {"X-API-Key": credentials.secret}
    tokens = []
    proof = {}
    if credentials.security == Security.HMAC_SHA256:
        secrets = (credentials.secret, *credentials.old_secrets)
        tokens = [signing.standard_sign(secret, message.uid, message.timestamp, message.body) for secret in secrets]
        proof["X-Hub-Signature-256"] = proof["X-Webhook-Signature"] = signing.hub_sign(credentials.secret, message.body)
    if credentials.signing_key and credentials.security == Security.HMAC_SHA256:
        tokens.append(signing.ed25519_sign(credentials.signing_key, message.uid, message.timestamp, message.body))
    if tokens:
        proof["webhook-signature"] = " ".join(tokens)
    return proof


def _header_problem(name: object, value: object, security: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{str(name)[:60]!r} is not a header name."
    if is_reserved(name):
        return f"The header {name} is set by Steward itself and cannot be replaced."
    if name.lower() in CREDENTIALS and security in (Security.BEARER_TOKEN, Security.API_KEY):
        return f"The header {name} cannot be added: this endpoint's security sends its credentials already."
    if not isinstance(value, str) or not _VALUE.fullmatch(value) or len(value) > LONGEST_VALUE:
        return f"The value of {name} must be at most {LONGEST_VALUE} printable ASCII characters on one line."
    return ""
