"""Writes down what came of requests: attempts, deliveries and batches in one transaction. Called by `dispatch` only.

A row changes only while the lease is ours; an attempt is kept whatever became of its row meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F

from config.kernel.flow.errors import capture
from config.kernel.models.base import new_uid
from config.kernel.watch import metrics
from config.kernel.wire import redact
from webhooks.enums import OPEN_STATUSES, DeliveryStatus
from webhooks.models import Attempt, Batch, Delivery
from webhooks.services.dispatch import consequences
from webhooks.services.dispatch.sending import Outcome

REPLY_BYTES = 2048
ERROR_LENGTH = 500
MOST_HEADERS = 50
HEADER_LENGTH = 500

# One statement for all rows: whatever became of each, and only of those that are still ours.
SETTLE = """
UPDATE {table} AS d SET status = v.new_status, attempt_count = v.number, last_status_code = v.code, last_error_code = v.error,
  next_attempt_at = v.again_at, finished_at = v.end_at, lease_token = '', lease_until = NULL
FROM {values} WHERE d.id = v.pk AND d.lease_token = %s AND d.status = 'sending' RETURNING id
"""
COLUMNS = ("pk", "new_status", "number", "code", "error", "again_at", "end_at")
TYPES = ("bigint", "text", "int", "int", "text", "timestamptz", "timestamptz")


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
    for one in outcomes:
        metrics.observe("webhook_delivery_seconds", one.reply.duration_ms / 1000)
        if one.decision.status == DeliveryStatus.DELIVERED and one.claimed.tries == 1 and one.claimed.event_created_at:
            metrics.observe("webhook_delivery_lag_seconds", max(0.0, (one.at - one.claimed.event_created_at).total_seconds()))


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
        Attempt.objects.bulk_create([_attempt(one) for one in outcomes])


def _settle(model: type[Delivery] | type[Batch], outcomes: Sequence[Outcome], token: str) -> set[int]:
    """Move the rows on; the ids of those that were still ours."""
    rows = [_values(one) for one in sorted(outcomes, key=lambda one: one.claimed.id)]
    if connection.vendor == "postgresql":
        given = ", ".join(f"%s::{kind}[]" for kind in TYPES)
        values = f"UNNEST({given}) AS v({', '.join(COLUMNS)})"
        parameters: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    else:
        named = ", ".join(f"column{place} AS {name}" for place, name in enumerate(COLUMNS, start=1))
        places = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(rows))
        values = f"(SELECT {named} FROM (VALUES {places})) AS v"  # noqa: S608 - no part comes from outside
        parameters = [value for row in rows for value in row]
    with connection.cursor() as cursor:
        cursor.execute(SETTLE.format(table=model._meta.db_table, values=values), [*parameters, token])
        return {row[0] for row in cursor.fetchall()}


def _values(one: Outcome) -> tuple[Any, ...]:
    moment = connection.ops.adapt_datetimefield_value
    again_at, decision = one.decision.next_attempt_at, one.decision
    end_at = None if decision.status == DeliveryStatus.RETRYING else one.at
    return (
        one.claimed.id,
        str(decision.status),
        one.claimed.number,
        one.reply.status,
        str(decision.error_code),
        again_at and moment(again_at),
        end_at and moment(end_at),
    )


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


def _attempt(one: Outcome) -> Attempt:
    claimed, reply = one.claimed, one.reply
    return Attempt(
        uid=new_uid("att_"),
        delivery_id=None if claimed.is_batch else claimed.id,
        batch_id=claimed.id if claimed.is_batch else None,
        number=claimed.number,
        created_at=one.at,
        started_at=reply.started_at,
        duration_ms=reply.duration_ms,
        dns_ms=reply.dns_ms,
        connect_ms=reply.connect_ms,
        tls_ms=reply.tls_ms,
        first_byte_ms=reply.first_byte_ms,
        address=reply.address[:64],
        status_code=reply.status,
        error_code=one.decision.error_code,
        error=_text(reply.error)[:ERROR_LENGTH],
        request_headers=redact.headers(one.request.headers),
        response_headers=_capped(redact.headers(reply.headers)),
        response_body=_text(reply.body[:REPLY_BYTES].decode("utf-8", "replace")),
    )


def _capped(headers: Mapping[str, str]) -> dict[str, str]:
    return {_text(name)[:HEADER_LENGTH]: _text(value)[:HEADER_LENGTH] for name, value in list(headers.items())[:MOST_HEADERS]}


def _text(value: str) -> str:
    """Text as PostgreSQL takes it: no NUL, no half of a surrogate pair."""
    return value if value.isascii() and "\0" not in value else value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
