"""Takes what is due under a lease: fair between endpoints, within the room each has. Called by `dispatch` only.

Which endpoints may be sent to is asked first; then one statement leases rows, so that two workers never take the same one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import BinaryField, Case, F, When

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.limits import breaker, ratelimit
from config.kernel.models import Event
from webhooks.engine import envelope
from webhooks.models import Batch, Delivery, Endpoint
from webhooks.services.dispatch import statements

# A killed worker's rows are free again after this; everything in flight is renewed every RENEW_SECONDS.
LEASE_SECONDS = 15
RENEW_SECONDS = 5
# More requests than this are never open at once in a process; when most of them are taken, nobody gets more than a few.
TOTAL = 400
CROWDED_SHARE = 0.25
CROWDED_EACH = 4
# Bodies above LARGE_BYTES are read one by one, and no more of them than TOTAL_BYTES are in flight in a process.
LARGE_BYTES = 262_144
TOTAL_BYTES = 64 * 1024 * 1024
# Second tries may take this share; the rest is kept for first ones.
RETRY_SHARE = 0.75


Room = tuple[int, int, int]
"""An endpoint's key, how many rows may be taken, how many requests are open to it."""
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery or a batch that this worker owns, with all that is needed to send it.

    `number` is that of this attempt, from 1; `tries` counts from the last redelivery, as the policy does.
    """

    id: int
    uid: str
    endpoint_id: int
    is_batch: bool
    number: int
    tries: int
    message_uid: str
    event_type: str
    body: bytes
    correlation_id: str = ""
    event_created_at: datetime | None = None

    @property
    def key(self) -> tuple[bool, int]:
        """What tells it from everything else in flight."""
        return self.is_batch, self.id

    @property
    def is_retry(self) -> bool:
        """Whether it failed before."""
        return self.tries > 1


@dataclass(frozen=True, slots=True)
class Ready:
    """An endpoint that has something due and may be sent to. `busy`: requests open to it now, over all processes."""

    endpoint_id: int
    room: int
    busy: int
    rate_per_minute: int | None
    is_on_trial: bool
    has_singles: bool
    has_batches: bool
    has_loose: bool


def ready(now: datetime) -> list[Ready]:
    """Endpoints with due work that are active, not held by their rate and not shut off by their breaker. One statement."""
    ceiling = options.get("WEBHOOK_MAX_IN_FLIGHT")
    with connection.cursor() as cursor:
        cursor.execute(statements.READY, {"now": _moment(now)})
        return [
            Ready(pk, max(0, (ceiling if most is None else most) - busy), busy, rate, on_trial, bool(singles), bool(batches), bool(loose))
            for pk, most, rate, on_trial, busy, singles, batches, loose in cursor.fetchall()
        ]


def claim(found: Iterable[Ready], *, token: str, room: int, retry_room: int, space: int = TOTAL_BYTES) -> list[Claimed]:
    """Lease up to `room` rows of these endpoints under `token`, at most `retry_room` of them second tries.

    `space`: how many bytes of large bodies may be added to what is in flight; one such body is taken however large it is.
    """
    now = clock.now()
    is_crowded = room < TOTAL * CROWDED_SHARE
    singles, batches = [], []
    for one in found:
        wanted = min(one.room, max(0, CROWDED_EACH - one.busy)) if is_crowded else one.room
        granted = _granted(one, min(wanted, room), retry_room, now)
        if one.has_batches and granted:
            batches.append((one.endpoint_id, 1, one.busy))
            granted -= 1
        if one.has_singles and granted:
            singles.append((one.endpoint_id, granted, -1 if one.is_on_trial else one.busy))
    limits = {"token": token, "room": room, "retries": retry_room, "now": _moment(now), "until": _moment(_lease_end(now))}
    rows = _take("webhooks_delivery", statements.IN_TURN, singles, limits, is_batch=False) if singles else []
    more = (
        _take("webhooks_batch", statements.BATCH_IN_TURN, batches, {**limits, "room": room - len(rows)}, is_batch=True) if batches else []
    )
    return _with_events(rows, token=token, space=space) + _with_bodies(more)


def renew(keys: Sequence[tuple[bool, int]], *, token: str) -> None:
    """Own these rows for another LEASE_SECONDS, as far as they are still ours."""
    until = _lease_end(clock.now())
    for model, is_batch in ((Delivery, False), (Batch, True)):
        ids = [pk for batch, pk in keys if batch is is_batch]
        if ids:
            model._default_manager.filter(pk__in=ids, lease_token=token, status="sending").update(lease_until=until)


def _lease_end(now: datetime) -> datetime:
    return now + timedelta(seconds=LEASE_SECONDS)


def _granted(one: Ready, wanted: int, retry_room: int, now: datetime) -> int:
    """How many requests the endpoint's breaker and rate let pass now, up to `wanted`."""
    if wanted <= 0 or not (one.has_singles or one.has_batches):
        return 0
    if one.is_on_trial:
        wanted = _trial(one, wanted, retry_room, now)
    return _within_rate(one, wanted, now) if one.rate_per_minute and wanted else wanted


def _trial(one: Ready, wanted: int, retry_room: int, now: datetime) -> int:
    """The breaker's time is over: exactly one worker gets one request. Who does not, looks again when the trial must be over."""
    endpoint = Endpoint.objects.only("pk", "timeout_seconds").get(pk=one.endpoint_id)
    if breaker.state(endpoint.breaker_key) == breaker.CLOSED:
        Endpoint.objects.filter(pk=one.endpoint_id).update(breaker_open_until=None)
        return wanted
    if retry_room <= 0:
        return 0
    seconds = (endpoint.timeout_seconds or options.get("WEBHOOK_DEFAULT_TIMEOUT")) + LEASE_SECONDS
    may_pass = breaker.may_pass(endpoint.breaker_key, trial_seconds=seconds)
    again_at = now + timedelta(seconds=seconds) if may_pass else breaker.retry_at(endpoint.breaker_key)
    Endpoint.objects.filter(pk=one.endpoint_id, breaker_open_until__lte=now).update(breaker_open_until=again_at)
    return int(may_pass)


def _within_rate(one: Ready, wanted: int, now: datetime) -> int:
    """Take as many tokens as there is work and room; when they run out, hold the endpoint until there is one again."""
    if one.has_singles:
        due = Delivery.objects.filter(endpoint=one.endpoint_id, status__in=("pending", "retrying"), next_attempt_at__lte=now)
        wanted = due[:wanted].count()
    limit = rate_of(one.rate_per_minute or 1)
    key = f"endpoint:{one.endpoint_id}"
    granted = ratelimit.take_many(key, max(wanted, 1), per_second=limit.per_second, burst=limit.burst)
    if granted < max(wanted, 1):
        hold = ratelimit.wait_seconds(key, per_second=limit.per_second, burst=limit.burst)
        Endpoint.objects.filter(pk=one.endpoint_id).update(rate_held_until=now + timedelta(seconds=hold))
    return granted


def rate_of(per_minute: int) -> ratelimit.Rate:
    """A bucket that lets at most `per_minute` requests pass in any minute, the first burst included: a second's worth at once."""
    burst = max(1, per_minute // 60)
    return ratelimit.Rate((per_minute - burst + 1) / 60, burst)


def _take(table: str, in_turn: str, rooms: Sequence[Room], limits: dict[str, Any], *, is_batch: bool) -> list[Row]:
    if limits["room"] <= 0:
        return []
    parts = {"table": table, "due": statements.DUE, "in_turn": in_turn}
    among = statements.AMONG[connection.vendor]
    text = statements.TAKE.format(
        among_chosen=among.format("chosen"),
        among_taken=among.format("taken"),
        candidates=_candidates(parts, rooms, limits),
        lock="FOR UPDATE SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else "",
        event="NULL" if is_batch else "event_id",
        correlation="''" if is_batch else "correlation_id",
        **parts,
    )
    with connection.cursor() as cursor:
        cursor.execute(text, limits)
        return sorted(cursor.fetchall())


def _candidates(parts: dict[str, str], rooms: Sequence[Room], limits: dict[str, Any]) -> str:
    """The first due rows of each endpoint, as many as it has room for."""
    if connection.vendor == "postgresql":
        limits["endpoints"], limits["rooms"], limits["busy"] = (list(column) for column in zip(*rooms, strict=True))
        inner = statements.CANDIDATES.format(endpoint="r.endpoint_id", room="r.room", busy="r.busy", **parts)
        given = "UNNEST(%(endpoints)s::bigint[], %(rooms)s::int[], %(busy)s::int[]) AS r(endpoint_id, room, busy)"
        return f"SELECT c.* FROM {given} CROSS JOIN LATERAL ({inner}) c"  # noqa: S608 - no part comes from outside
    # SQLite has no LATERAL and at most 500 parts in a UNION; who is left out here is first in the next round.
    wanted = sorted(rooms, key=lambda one: one[2])[:400]
    each = (statements.CANDIDATES.format(endpoint=int(pk), room=int(room), busy=int(busy), **parts) for pk, room, busy in wanted)
    return " UNION ALL ".join(f"SELECT * FROM ({one})" for one in each)  # noqa: S608 - whole numbers only


def _with_events(rows: Sequence[Row], *, token: str, space: int) -> list[Claimed]:
    """The deliveries with the names and bytes of their events, in one statement; large ones that there is no space for are given back."""
    if not rows:
        return []
    small: Any = Case(When(size__lte=LARGE_BYTES, then=F("body")), output_field=BinaryField())
    wanted = Event.objects.filter(pk__in={row[3] for row in rows}).values_list("pk", "uid", "type", small, "created_at", "size")
    events = {row[0]: row[1:] for row in wanted}
    large = _large_bodies({pk: event[4] for pk, event in events.items() if event[2] is None}, space)
    found, left = [], []
    for pk, uid, endpoint_id, event_id, count, before, correlation_id in rows:
        message_uid, event_type, body, created_at, _ = events[event_id]
        body = large.get(event_id) if body is None else body
        if body is None:
            left.append(pk)
            continue
        one = Claimed(
            id=pk,
            uid=uid,
            endpoint_id=endpoint_id,
            is_batch=False,
            number=count + 1,
            tries=count + 1 - before,
            message_uid=message_uid,
            event_type=event_type,
            body=bytes(body),
            correlation_id=correlation_id,
            event_created_at=created_at,
        )
        found.append(one)
    if left:
        # Their lease ends at once: whoever has space takes them.
        Delivery.objects.filter(pk__in=left, lease_token=token).update(lease_until=clock.now() - timedelta(milliseconds=1))
    return found


def _large_bodies(sizes: Mapping[int, int], space: int) -> dict[int, bytes]:
    """Bodies by event, oldest first, until the space is used up."""
    found: dict[int, bytes] = {}
    for pk in sorted(sizes):
        if space <= 0:
            break
        found[pk] = bytes(Event.objects.values_list("body", flat=True).get(pk=pk))
        space -= sizes[pk]
    return found


def _with_bodies(rows: Sequence[Row]) -> list[Claimed]:
    """The batches with their bytes, in one statement."""
    bodies = dict(Batch.objects.filter(pk__in=[row[0] for row in rows]).values_list("pk", "body")) if rows else {}
    return [
        Claimed(
            id=pk,
            uid=uid,
            endpoint_id=endpoint_id,
            is_batch=True,
            number=count + 1,
            tries=count + 1 - before,
            message_uid=uid,
            event_type=envelope.BATCH,
            body=bytes(bodies[pk]),
        )
        for pk, uid, endpoint_id, _, count, before, _ in rows
    ]


def _moment(value: datetime) -> Any:
    """A time as a parameter of a raw statement, as this database stores it."""
    return connection.ops.adapt_datetimefield_value(value)
