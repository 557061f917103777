"""Hands stored events to every subscriber. Run as the duty `kernel.route`, by nudge and by sweep.

One router works at a time. A killed one leaves nothing behind but events that are not routed yet, which the next one takes at once and in
order; what a subscriber heard already it hears again and knows by its own unique key.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import QuerySet

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.limits import backoff
from config.kernel.models import Event, RouteFailure
from config.kernel.plugins.contracts import Subscriber, duties, subscribers
from config.kernel.watch import notifications

# The number of the advisory lock of whoever routes: "steward" read as ASCII, shortened.
ROUTERS = 0x73746577617264
TRIES, PAUSE_SECONDS = 10, 0.03
# A list handed to a subscriber holds at most this many bytes of events (a single larger one goes alone).
MOST_BYTES = 8 * 1024 * 1024
AGAIN = backoff.Policy(strategy="exponential", base_seconds=5, max_attempts=10, max_delay_seconds=3600)


class Route:
    """The duty: unrouted events."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Whether anything waits (counts no further than needed)."""
        return int(_unrouted().exists())

    def work(self, now: datetime, limit: int) -> int:
        """Route up to `limit` events."""
        return route(limit=limit)


class RouteAgain:
    """The duty: second turns of subscribers that failed. Found by the sweep alone."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Whether anything is due (counts no further than needed)."""
        return int(_failed(now).exists())

    def work(self, now: datetime, limit: int) -> int:
        """Give up to `limit` failures their next turn."""
        return _retry(now, limit)


def route(*, limit: int = 100) -> int:
    """Let every subscriber hear up to `limit` unrouted events, oldest first; how many were routed, 0 while somebody else is at it."""
    with _alone() as is_alone:
        return _route(limit) if is_alone else 0


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else routes: two at once could hand a later event to an endpoint before an earlier one, which breaks its order.

    The lock belongs to the connection, so that a killed router leaves none behind. SQLite has one process, which routes in turn.
    """
    if connection.vendor != "postgresql":
        yield True
        return
    is_alone = _is_given_the_lock()
    try:
        yield is_alone
    finally:
        if is_alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [ROUTERS])


def _is_given_the_lock() -> bool:
    """Asks a few times: whoever routes is done in a moment. Not for ever: a router that hangs must not hold up every worker."""
    for turn in range(TRIES):
        if turn:
            time.sleep(PAUSE_SECONDS)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [ROUTERS])
            if cursor.fetchone()[0]:
                return True
    return False


def _route(limit: int) -> int:
    rows = list(_unrouted().only("pk", "size").order_by("pk")[:limit])
    for group in _by_size(rows):
        keys = [row.pk for row in group]
        full = list(Event.objects.filter(pk__in=keys).order_by("pk"))
        for name, subscriber in subscribers.all().items():
            _hear(name, subscriber, full)
        Event.objects.filter(pk__in=keys).update(routed_at=clock.now())
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
    if _refusal(name, subscriber, rows) is None:
        return
    for row in rows:
        if error := _refusal(name, subscriber, [row]):
            _postpone(row, name, error)


def _refusal(name: str, subscriber: Subscriber, rows: Sequence[Event]) -> Exception | None:
    with capture("event.failed", subscriber=name, event=rows[0].uid, count=len(rows)) as caught, transaction.atomic():
        subscriber.hear(rows)
    if caught.error and not connection.is_usable():
        raise caught.error  # The database went away: no event is to blame, and none steps aside. All are routed again, in their order.
    return caught.error


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


def _retry(now: datetime, limit: int) -> int:
    rows = list(_failed(now).select_related("event")[:limit])
    for failure in rows:
        subscriber = subscribers.all().get(failure.subscriber)
        if subscriber is None:
            RouteFailure.objects.filter(pk=failure.pk).update(next_attempt_at=None, error="This subscriber is not installed any more.")
            continue
        with capture("event.failed_again", subscriber=failure.subscriber, event=failure.event.uid) as caught, transaction.atomic():
            subscriber.hear([failure.event])
            failure.delete()
        if caught.error is not None:
            _postpone(failure.event, failure.subscriber, caught.error)
    return len(rows)


def _unrouted() -> QuerySet[Event]:
    return Event.objects.filter(routed_at__isnull=True)


def _failed(now: datetime) -> QuerySet[RouteFailure]:
    return RouteFailure.objects.filter(next_attempt_at__lte=now).order_by("next_attempt_at")


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


duties.register("kernel.route", Route())
duties.register("kernel.route_again", RouteAgain())
