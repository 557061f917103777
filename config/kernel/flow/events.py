"""Events: stored once, then heard by whoever subscribed. Every app publishes here; routing is next door."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from config.kernel.desk import options
from config.kernel.flow import clock, context, event_types, jobs
from config.kernel.flow.errors import Conflict, InvalidInput
from config.kernel.models import Event, EventType
from config.kernel.models.base import new_uid
from config.kernel.watch import audit
from config.kernel.watch.audit import subject_of

# What others call through this module.
check, declare = event_types.problems, event_types.declare
matches = event_types.matches

UID = re.compile(r"[A-Za-z0-9_-]{1,64}")
INBOUND = "inbound:"
# The note of an event that one endpoint alone got; it is never routed.
FOR_ONE = "test for "


@dataclass(frozen=True)
class Draft:
    """An event that somebody wants published. `raw`: the data as JSON bytes, kept as they are instead of `data`."""

    type: str
    data: Any
    uid: str = ""
    subject: str = ""
    source: str = ""
    raw: bytes | None = None
    requested_task: Mapping[str, str] | None = None
    occurred_at: datetime | None = None
    correlation_id: str = ""


@dataclass(frozen=True)
class Published:
    """What became of a draft: the event (None when refused), whether it is new, and the sentences against it."""

    event: Event | None
    is_new: bool
    problems: Sequence[str] = ()


def publish(
    type: str,
    *,
    data: Any,
    subject: Model | str = "",
    uid: str = "",
    source: str = "",
    correlation_id: str = "",
    requested_task: Mapping[str, str] | None = None,
    raw: bytes | None = None,
) -> Event:
    """Store one event and have it routed after commit; the same `uid` again gives the first one.

    Raises InvalidInput when the type is unknown or the data do not fit its schema (types from an inbound source only warn).
    """
    draft = Draft(
        type,
        data,
        uid=uid,
        subject=subject_of(subject) if subject else "",
        source=source,
        raw=raw,
        requested_task=requested_task,
        correlation_id=correlation_id,
    )
    return publish_draft(draft).event  # type: ignore[return-value]


def publish_draft(draft: Draft) -> Published:
    """As `publish`, and says whether the event is new. Raises InvalidInput for a refused draft."""
    [done] = publish_many([draft])
    if done.event is None:
        raise _refused(draft, done.problems)
    return done


def publish_many(drafts: Sequence[Draft]) -> list[Published]:
    """Store many at once, a result for each in the same order; a refused one does not stop the others."""
    refused = {index: found for index, draft in enumerate(drafts) if (found := _refusal(draft))}
    wanted = [(index, _row(draft)) for index, draft in enumerate(drafts) if index not in refused]
    rows = _store([row for _, row in wanted])
    published = {index: done for (index, _), done in zip(wanted, rows, strict=True)}
    if any(done.is_new for done in rows):
        jobs.nudge("kernel.route")
    return [published[index] if index in published else Published(None, False, refused[index]) for index in range(len(drafts))]


def prepare(draft: Draft) -> Event:
    """The row that `publish` would store, not stored yet: for a caller that inserts it together with a row of its own.

    It must call `announce` afterwards. Raises InvalidInput for a draft that `publish` would refuse.
    """
    if found := _refusal(draft):
        raise _refused(draft, found)
    return _row(draft)


def announce() -> None:
    """Have what was stored with `prepare` routed after commit."""
    jobs.nudge("kernel.route")


@contextmanager
def handling(event: Event) -> Iterator[None]:
    """Events published in the block are caused by `event`: they carry its correlation id and count one hop more."""
    with context.using(cause_uid=event.uid, hops=event.hops, correlation_id=event.correlation_id):
        yield


@transaction.atomic
def reroute(event: Event) -> None:
    """Have every subscriber hear the event once more; they are idempotent, so nothing is done twice. One that still waits is left alone.

    Raises Conflict for a test that was meant for one endpoint alone.
    """
    if event.route_note.startswith(FOR_ONE):
        raise Conflict("This event is a test for one endpoint; nobody else hears it. Send the endpoint another test instead.")
    audit.record("event.rerouted", event)
    # A router that is at it now would mark it as routed right after: then what it noted of failures must stay.
    if Event.objects.filter(pk=event.pk, routed_at__isnull=False).update(routed_at=None, route_note=""):
        event.route_failures.all().delete()
    jobs.nudge("kernel.route")


def envelope(*, type: str, uid: str, occurred_at: datetime, data: bytes) -> bytes:
    """The bytes that are signed, sent and stored: both sources' envelopes in one object (C-02)."""
    head = orjson.dumps({"event": type, "eventType": type, "eventId": uid, "timestamp": clock.text(occurred_at)})
    return head[:-1] + b',"data":' + data + b"}"


def _refused(draft: Draft, found: Sequence[str]) -> InvalidInput:
    return InvalidInput(f"The event {draft.type} was not published: {found[0]}", fields={"data": found})


def _refusal(draft: Draft) -> list[str]:
    if draft.uid and not UID.fullmatch(draft.uid):
        return ["The id may have 1 to 64 letters, digits, `_` and `-`."]
    if draft.source.startswith(INBOUND):
        event_types.ensure_inbound(draft.type)
        return []
    return event_types.problems(draft.type, draft.data)


def _row(draft: Draft) -> Event:
    now, here = clock.now(), context.current()
    uid = draft.uid or new_uid("evt_")
    occurred_at = draft.occurred_at or now
    data = draft.raw if draft.raw is not None else _json(draft.data)
    body = envelope(type=draft.type, uid=uid, occurred_at=occurred_at, data=data)
    row = Event(
        uid=uid,
        type=draft.type,
        body=body,
        size=len(body),
        source=draft.source or "system",
        subject=draft.subject[:128],
        correlation_id=draft.correlation_id or here.correlation_id,
        cause_uid=here.cause_uid,
        hops=here.hops + 1 if here.cause_uid else 0,
        requested_task=draft.requested_task,
        occurred_at=occurred_at,
        created_at=now,
    )
    if row.hops > options.get("EVENT_HOP_LIMIT"):
        row.routed_at, row.route_note = now, f"stopped: {row.hops} events in a chain, the limit is {options.get('EVENT_HOP_LIMIT')}"
    return row


def _json(data: Any) -> bytes:
    try:
        return orjson.dumps(data)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise InvalidInput(f"The data cannot be written as JSON: {error}") from None


def _store(rows: list[Event]) -> list[Published]:
    """Insert all, unless a client chose an id that is there already."""
    if len({row.uid for row in rows}) == len(rows):
        # Alone a statement is a transaction by itself; inside one, a savepoint keeps a refusal from ending it.
        try:
            with transaction.atomic() if connection.in_atomic_block else nullcontext():
                if len(rows) == 1:
                    rows[0].save(force_insert=True)
                else:
                    _insert(rows)
        except IntegrityError:
            pass
        else:
            return [Published(row, True) for row in rows]
    return [_store_one(row) for row in rows]


def _insert(rows: list[Event]) -> None:
    """All in one statement; on PostgreSQL with one JSON parameter, which takes half of the time of seventeen for each row."""
    if connection.vendor != "postgresql":
        Event.objects.bulk_create(rows)
        return
    fields = [field for field in Event._meta.concrete_fields if not field.primary_key]
    names = ", ".join(str(field.column) for field in fields)
    typed = ", ".join(f"{field.column} {field.db_type(connection)}" for field in fields)
    values = [{field.column: getattr(row, field.attname) for field in fields} for row in rows]
    statement = (
        f"INSERT INTO {Event._meta.db_table} ({names}) "  # noqa: S608 - the names are our own
        f"SELECT {names} FROM json_to_recordset(%s::json) AS given({typed}) RETURNING uid, id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [orjson.dumps(values, default=_hexadecimal).decode()])
        keys = dict(cursor.fetchall())
    for row in rows:
        row.pk, row._state.adding, row._state.db = keys[row.uid], False, connection.alias


def _hexadecimal(value: bytes) -> str:
    return "\\x" + value.hex()


def _store_one(row: Event) -> Published:
    found = Event.objects.filter(uid=row.uid).first()
    if found is None:
        try:
            with transaction.atomic():
                row.pk = None
                row.save(force_insert=True)
            return Published(row, True)
        except IntegrityError:
            found = Event.objects.get(uid=row.uid)
    return Published(found, False)


def origin_of(event: Event) -> str:
    """Where the event's type comes from, for `matches`."""
    return EventType.Origin.INBOUND if event.source.startswith(INBOUND) else EventType.Origin.PROGRAM
