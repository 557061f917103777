"""Writes down what came of requests: attempts, deliveries and batches in one transaction. Called by `dispatch` only.

A row changes only while the lease is ours; an attempt is kept whatever became of its row meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F

from config.kernel.flow.errors import capture
from config.kernel.models.base import new_uids
from config.kernel.watch import metrics
from config.kernel.wire import redact
from webhooks.engine import envelope
from webhooks.enums import OPEN_STATUSES, DeliveryStatus
from webhooks.models import Batch, Delivery
from webhooks.services.dispatch import bulk, consequences
from webhooks.services.dispatch.sending import Outcome

REPLY_BYTES = 2048
ERROR_LENGTH = 500
MOST_HEADERS = 50
HEADER_LENGTH = 500
# A shorter value of an endpoint's own header is a word, which a reply may hold by chance.
SHORTEST_HIDDEN = 8

# One statement for all rows: whatever became of each, and only of those that are still ours.
SETTLE = """
UPDATE {table} AS d SET status = v.new_status, attempt_count = v.number, last_status_code = v.code, last_error_code = v.error,
  next_attempt_at = v.again_at, finished_at = v.end_at, lease_token = '', lease_until = NULL
FROM {values} WHERE d.id = v.pk AND d.lease_token = %s AND d.status = 'sending' RETURNING id
"""
SETTLED = {
    "pk": "bigint",
    "new_status": "text",
    "number": "int",
    "code": "int",
    "error": "text",
    "again_at": "timestamptz",
    "end_at": "timestamptz",
}
ATTEMPT = {
    "uid": "text",
    "created_at": "timestamptz",
    "delivery_id": "bigint",
    "batch_id": "bigint",
    "number": "int",
    "started_at": "timestamptz",
    "duration_ms": "float8",
    "dns_ms": "float8",
    "connect_ms": "float8",
    "tls_ms": "float8",
    "first_byte_ms": "float8",
    "address": "text",
    "status_code": "int",
    "error_code": "text",
    "error": "text",
    "request_headers": "jsonb",
    "response_headers": "jsonb",
    "response_body": "text",
}
INSERT = f"INSERT INTO webhooks_attempt ({', '.join(ATTEMPT)}) SELECT {', '.join(ATTEMPT)} FROM {{values}}"  # noqa: S608 - names are ours


def record(outcomes: Sequence[Outcome], *, token: str) -> None:
    """Write all of it down in one transaction. A row that the database refuses steps aside alone."""
    try:
        _store(outcomes, token)
    except (DataError, IntegrityError):
        for outcome in outcomes:
            with capture("delivery.record_failed", delivery=outcome.claimed.uid):
                _store([outcome], token)


def count(outcomes: Sequence[Outcome]) -> None:
    """Add these to the metrics of this process."""
    for status in {one.decision.status for one in outcomes}:
        metrics.count("webhook_deliveries_total", sum(one.decision.status == status for one in outcomes), outcome=str(status))
    metrics.observe_many("webhook_delivery_seconds", [one.reply.duration_ms / 1000 for one in outcomes])
    first = [one for one in outcomes if one.decision.status == DeliveryStatus.DELIVERED and one.claimed.tries == 1]
    lags = [(one.at - one.claimed.event_created_at).total_seconds() for one in first if one.claimed.event_created_at]
    if lags:
        metrics.observe_many("webhook_delivery_lag_seconds", [max(0.0, lag) for lag in lags])


def _store(outcomes: Sequence[Outcome], token: str) -> None:
    with transaction.atomic():
        for is_batch in (False, True):
            mine = [one for one in outcomes if one.claimed.is_batch is is_batch]
            if not mine:
                continue
            settled = _settle(Batch if is_batch else Delivery, mine, token)
            kept = [one for one in mine if one.claimed.id in settled]
            if is_batch:
                _settle_members(kept)
            if len(kept) < len(mine):
                _note_late([one for one in mine if one.claimed.id not in settled])
            consequences.announce_dead([one for one in kept if one.decision.status == DeliveryStatus.DEAD])
        _insert_attempts(outcomes)


def _settle(model: type[Delivery] | type[Batch], outcomes: Sequence[Outcome], token: str) -> set[int]:
    """Move the rows on; the ids of those that were still ours."""
    values, parameters = bulk.table(SETTLED, [_settled(one) for one in sorted(outcomes, key=lambda one: one.claimed.id)])
    with connection.cursor() as cursor:
        cursor.execute(SETTLE.format(table=model._meta.db_table, values=values), [*parameters, token])
        return {row[0] for row in cursor.fetchall()}


def _settled(one: Outcome) -> tuple[Any, ...]:
    decision = one.decision
    end_at = None if decision.status == DeliveryStatus.RETRYING else one.at
    code, error = one.reply.status, str(decision.error_code)
    return one.claimed.id, str(decision.status), one.claimed.number, code, error, decision.next_attempt_at, end_at


def _settle_members(batches: Sequence[Outcome]) -> None:
    """Members share the fate of their batch; those cancelled or sent again alone meanwhile do not."""
    for one in batches:
        decision = one.decision
        Delivery.objects.filter(batch=one.claimed.id, status__in=OPEN_STATUSES).update(
            status=decision.status,
            attempt_count=F("attempt_count") + 1,
            last_status_code=one.reply.status,
            last_error_code=decision.error_code,
            next_attempt_at=decision.next_attempt_at,
            finished_at=None if decision.status == DeliveryStatus.RETRYING else one.at,
        )


def _note_late(outcomes: Sequence[Outcome]) -> None:
    """Cancelled while under way: the state stays, the count and the last reply are true. After a lost lease nothing is touched."""
    for one in outcomes:
        model = Batch if one.claimed.is_batch else Delivery
        number = one.claimed.number
        model._default_manager.filter(pk=one.claimed.id, status=DeliveryStatus.CANCELLED, attempt_count__lt=number).update(
            attempt_count=number, last_status_code=one.reply.status, last_error_code=one.decision.error_code
        )


def _insert_attempts(outcomes: Sequence[Outcome]) -> None:
    uids = new_uids("att_", len(outcomes))
    values, parameters = bulk.table(ATTEMPT, [_attempt(uid, one) for uid, one in zip(uids, outcomes, strict=True)])
    with connection.cursor() as cursor:
        cursor.execute(INSERT.format(values=values), parameters)


def _attempt(uid: str, one: Outcome) -> tuple[Any, ...]:
    """The values of ATTEMPT, in its order."""
    claimed, reply = one.claimed, one.reply
    hidden = _hidden(one.request.headers)
    return (
        uid,
        one.at,
        None if claimed.is_batch else claimed.id,
        claimed.id if claimed.is_batch else None,
        claimed.number,
        reply.started_at,
        reply.duration_ms,
        reply.dns_ms,
        reply.connect_ms,
        reply.tls_ms,
        reply.first_byte_ms,
        reply.address[:64],
        reply.status,
        str(one.decision.error_code),
        _text(reply.error)[:ERROR_LENGTH],
        _sent(one.request.headers),
        _capped({name: _without(hidden, value) for name, value in redact.headers(reply.headers).items()}),
        _text(_without(hidden, reply.body[: REPLY_BYTES + envelope.LONGEST_VALUE].decode("utf-8", "replace"))[:REPLY_BYTES]),
    )


def _sent(headers: Mapping[str, str]) -> dict[str, str]:
    """The request's headers as anybody may see them: of credentials and of the endpoint's own headers only the names."""
    return {name: value if envelope.is_reserved(name) else redact.MASK for name, value in headers.items()}


def _hidden(headers: Mapping[str, str]) -> list[str]:
    """The values that `_sent` hides: a receiver that repeats what it got must not bring them to light."""
    values = (value.removeprefix("Bearer ") for name, value in headers.items() if not envelope.is_reserved(name))
    return [value for value in values if len(value) >= SHORTEST_HIDDEN]


def _without(hidden: Sequence[str], text: str) -> str:
    for value in hidden:
        text = text.replace(value, redact.MASK)
    return text


def _capped(headers: Mapping[str, str]) -> dict[str, str]:
    return {_text(name)[:HEADER_LENGTH]: _text(value)[:HEADER_LENGTH] for name, value in list(headers.items())[:MOST_HEADERS]}


def _text(value: str) -> str:
    """Text as PostgreSQL takes it: no NUL, no half of a surrogate pair."""
    return value if value.isascii() and "\0" not in value else value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
