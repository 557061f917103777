"""Takes one inbound request from the door to the rows: cap, source, signature, limit, then one transaction. Called by `inbound`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from config.kernel.flow import clock, context
from config.kernel.limits import ratelimit
from config.kernel.watch import metrics
from webhooks.engine import payload, verification
from webhooks.engine.verification import Incoming, Refusal
from webhooks.enums import Preset, ReceiptStatus, SourceStatus
from webhooks.models import Receipt
from webhooks.services import receipts, sources
from webhooks.services.receipts import Taken
from webhooks.services.sources import GITHUB, Known

CHUNK_BYTES = 65_536
BLOCKS = 100
PAUSED_RETRY_SECONDS = 60


@dataclass(frozen=True)
class Request:
    """What the door hands over. `headers` by lower-case name; `read(n)` gives up to n bytes of the body, none at its end.

    `content_length` is None when the sender did not say.
    """

    headers: Mapping[str, str]
    content_length: int | None
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class Answer:
    """What the sender gets."""

    status_code: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def receive(slug: str, request: Request) -> Answer:
    """Take a request for the source `slug`. Never raises for what the sender did; see docs for the status codes."""
    started = clock.now()
    known = sources.known_by(slug)
    answer, outcome = _received(known, request) if known else (_unknown(slug), "unknown")
    name = known.source.slug if known else "unknown"
    metrics.count("webhook_events_received_total", source=name, outcome=str(outcome))
    metrics.observe("webhook_processing_seconds", (clock.now() - started).total_seconds(), source=name)
    return answer


def largest_body(slug: str) -> int:
    """How many bytes `receive` would read for the source; 0 when it is paused or there is none."""
    known = sources.known_by(slug)
    return known.max_body_bytes if known and known.source.status != SourceStatus.PAUSED else 0


def reprocess(receipt: Receipt) -> Receipt:
    """See `receipts.reprocess`."""
    return receipts.reprocess(receipt)


def _received(known: Known, request: Request) -> tuple[Answer, str]:
    incoming = Incoming(request.headers, b"")
    try:
        if known.source.status == SourceStatus.PAUSED:
            raise _paused()
        incoming = Incoming(request.headers, _body(request, known.max_body_bytes))
        return _take(known, incoming)
    except Refusal as refusal:
        receipts.refuse(known, incoming, refusal, announced_size=request.content_length or 0)
        return _rejected(refusal), ReceiptStatus.REJECTED


def _take(known: Known, incoming: Incoming) -> tuple[Answer, str]:
    now = clock.now()
    verification.verify(incoming, rules=known.rules, secrets=known.accepted_secrets(now), now=now)
    _limit(known)
    planned = receipts.plan(known, incoming)
    if known.source.preset == Preset.SLACK and planned.names.event == "url_verification":
        return _challenge(known, incoming, planned.parsed.value)
    taken = receipts.take(known, incoming, planned)
    return _accepted(taken), taken.receipt.status


def _limit(known: Known) -> None:
    """Count the request against its source. Raises Refusal (429).

    Of a burst of hundreds a hundredth is taken at a time: one question to Redis for ten requests, and small limits stay exact.
    """
    if known.allowance.use_one():
        return
    key, block = f"source:{known.source.pk}", known.burst // BLOCKS
    if block > 1:
        taken = ratelimit.take_many(key, block, per_second=known.per_second, burst=known.burst)
        if taken:
            known.allowance.add(taken - 1)
            return
    wait = ratelimit.take(key, per_second=known.per_second, burst=known.burst)
    if wait > 0:
        raise Refusal(
            "rate_limited",
            f"More than {known.per_second:g} requests a second, {known.burst} at once.",
            http_status=429,
            detail="Too many requests. Send again later.",
            retry_after_seconds=wait,
        )


def _body(request: Request, limit: int) -> bytes:
    """The whole body, in pieces, and never more than `limit` bytes in memory. Raises Refusal (413, 400)."""
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(f"The body has {length} bytes; at most {limit} are taken. It was not read.", limit)
    pieces, size = [], 0
    try:
        while piece := request.read(min(CHUNK_BYTES, limit + 1 - size)):
            size += len(piece)
            if size > limit:
                raise _too_large(f"The body has more than {limit} bytes. The rest was not read.", limit)
            pieces.append(piece)
    except OSError:
        raise Refusal("body_incomplete", "The connection ended before the body did.", http_status=400) from None
    if length is not None and size < length:
        raise Refusal("body_incomplete", f"Only {size} of {length} bytes came.", http_status=400)
    return b"".join(pieces)


def _accepted(taken: Taken) -> Answer:
    receipt, event = taken.receipt, taken.event
    is_duplicate = receipt.status == ReceiptStatus.DUPLICATE and not taken.is_again
    body = {
        "status": "duplicate" if is_duplicate else "accepted",
        "delivery_id": receipt.delivery_id,
        "event_type": receipt.event_type,
        "result": _result(taken.first or receipt, event.requested_task if event else None, is_duplicate=is_duplicate),
    }
    return Answer(200 if is_duplicate else 202, body)


def _result(first: Receipt, task: Mapping[str, str] | None, *, is_duplicate: bool) -> dict[str, str]:
    """What is done with it. `first` is the receipt that the work belongs to."""
    if task:
        return {"status": "duplicate" if is_duplicate else "queued", "task_id": task["id"]}
    if is_duplicate:
        return {"status": "duplicate"}
    if first.status == ReceiptStatus.IGNORED:
        return {"status": "pong"} if first.reason == "ping" else {"status": "ignored", "reason": first.reason}
    return {"status": "queued", "event_id": first.event.uid if first.event else ""}


def _challenge(known: Known, incoming: Incoming, value: Any) -> tuple[Answer, str]:
    """Slack asks whether the address is ours before it sends anything."""
    receipts.keep(known, incoming, reason="challenge", explanation="Slack tried the address; its challenge was answered.")
    challenge = payload.look_up(value, "challenge")
    return Answer(200, {"challenge": challenge[:1000] if isinstance(challenge, str) else ""}), ReceiptStatus.IGNORED


def _rejected(refusal: Refusal) -> Answer:
    """Tells the sender as little as possible: for a wrong proof always the same."""
    headers = {}
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, ceil(refusal.retry_after_seconds)))
    body = {"status": "rejected", "detail": refusal.detail, "correlation_id": context.current().correlation_id}
    return Answer(refusal.http_status, body, headers)


def _unknown(slug: str) -> Answer:
    if slug == GITHUB:
        return _rejected(Refusal("secret_unset", "", http_status=503, detail="This source is not set up."))
    return _rejected(Refusal("unknown_source", "", http_status=404, detail="There is no such source."))


def _paused() -> Refusal:
    return Refusal(
        "paused",
        "The source is paused; resume it and have the sender send again.",
        http_status=503,
        detail="This source is paused. Send again later.",
        retry_after_seconds=PAUSED_RETRY_SECONDS,
    )


def _too_large(explanation: str, limit: int) -> Refusal:
    return Refusal("too_large", explanation, http_status=413, detail=f"The body may have at most {limit} bytes.")
