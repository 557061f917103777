"""Hands stored events to every subscriber. Run as the duty `kernel.route`, by nudge and by sweep."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from config.kernel.flow import clock, leases
from config.kernel.flow.errors import capture
from config.kernel.limits import backoff
from config.kernel.models import Event, RouteFailure
from config.kernel.plugins.contracts import Subscriber, duties, subscribers
from config.kernel.watch import notifications

LEASE_SECONDS = 20
# The number of the advisory lock that routers of all processes take in turn: "steward" read as ASCII, shortened.
ROUTERS = 0x73746577617264
# A list handed to a subscriber holds at most this many bytes of events (a single larger one goes alone).
MOST_BYTES = 8 * 1024 * 1024
AGAIN = backoff.Policy(strategy="exponential", base_seconds=5, max_attempts=10, max_delay_seconds=3600)


class Route:
    """The duty: unrouted events, and subscribers' second turns."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Whether anything waits (counts no further than needed)."""
        return int(_unrouted(now).exists()) + int(_failed(now).exists())

    def work(self, now: datetime, limit: int) -> int:
        """Route up to `limit` events and give as many failures their next turn."""
        _retry(now, limit)
        return route(limit=limit)


def route(*, limit: int = 100) -> int:
    """Lease up to `limit` unrouted events and let every subscriber hear them; how many were routed."""
    with _in_turn():
        return _route(limit)


@contextmanager
def _in_turn() -> Iterator[None]:
    """One router at a time: two at once could hand a later event to an endpoint before an earlier one, which breaks its order.

    The lock belongs to the connection, so that a killed router leaves none behind. SQLite has one process, which routes in turn.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [ROUTERS])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ROUTERS])


def _route(limit: int) -> int:
    token, rows = leases.claim(Event.objects.filter(routed_at__isnull=True).defer("body"), limit=limit, seconds=LEASE_SECONDS)
    for group in _by_size(rows):
        keys = [row.pk for row in group]
        full = list(Event.objects.filter(pk__in=keys).order_by("pk"))
        for name, subscriber in subscribers.all().items():
            _hear(name, subscriber, full)
        Event.objects.filter(pk__in=keys, lease_token=token).update(routed_at=clock.now(), lease_token="", lease_until=None)
    return len(rows)


def _by_size(rows: Sequence[Event]) -> Iterator[list[Event]]:
    group: list[Event] = []
    size = 0
    for row in rows:
        if group and size + row.size > MOST_BYTES:
            yield group
            group, size = [], 0
        group.append(row)
        size += row.size
    if group:
        yield group


def _hear(name: str, subscriber: Subscriber, rows: Sequence[Event]) -> None:
    with capture("event.batch_failed", subscriber=name) as caught, transaction.atomic():
        subscriber.hear(rows)
    if caught.error is None:
        return
    for row in rows:
        with capture("event.failed", subscriber=name, event=row.uid) as alone, transaction.atomic():
            subscriber.hear([row])
        if alone.error is not None:
            _postpone(row, name, alone.error)


def _postpone(row: Event, name: str, error: Exception) -> None:
    """Note the failure; the next turn comes later, and after the last one a person is told."""
    failure, is_new = RouteFailure.objects.get_or_create(event=row, subscriber=name, defaults={"error": _sentence(error)})
    if not is_new:
        failure.attempts += 1
    delay = backoff.delay_seconds(AGAIN, failure.attempts)
    failure.error = _sentence(error)
    failure.next_attempt_at = clock.now() + timedelta(seconds=delay) if delay is not None else None
    failure.save()
    if delay is None:
        notifications.notify(
            f"{name} could not take the event {row.type}",
            message=f"It failed {failure.attempts} times, last with: {failure.error}. Mend the cause, then route the event again.",
            urgency="high",
            link=f"/events/{row.uid}",
            subject=f"event:{row.uid}",
        )


def _retry(now: datetime, limit: int) -> None:
    for failure in _failed(now).select_related("event")[:limit]:
        subscriber = subscribers.all().get(failure.subscriber)
        if subscriber is None:
            RouteFailure.objects.filter(pk=failure.pk).update(next_attempt_at=None, error="This subscriber is not installed any more.")
            continue
        with capture("event.failed_again", subscriber=failure.subscriber, event=failure.event.uid) as caught, transaction.atomic():
            subscriber.hear([failure.event])
            failure.delete()
        if caught.error is not None:
            _postpone(failure.event, failure.subscriber, caught.error)


def _unrouted(now: datetime) -> QuerySet[Event]:
    return Event.objects.filter(routed_at__isnull=True).filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now))


def _failed(now: datetime) -> QuerySet[RouteFailure]:
    return RouteFailure.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


duties.register("kernel.route", Route())
