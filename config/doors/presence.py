"""Who is here: the middleware notes a user in memory, at most once a minute that becomes a row. The sampler counts rows."""

import threading
from datetime import datetime, timedelta

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.models import Presence
from config.kernel.watch import metrics

EVERY = timedelta(minutes=1)
_lock = threading.Lock()
_seen: dict[int, datetime] = {}
_written: dict[int, datetime] = {}


def seen(user_id: int) -> None:
    """This user asked for something now. Costs no statement: it is written with the counts."""
    with _lock:
        _seen[user_id] = clock.now()


def active(minutes: float) -> int:
    """How many users asked for something within the last `minutes`."""
    return Presence.objects.filter(seen_at__gt=clock.now() - timedelta(minutes=minutes)).count()


def write() -> None:
    """Write down who was seen last and when, nobody more than once a minute. One statement."""
    now = clock.now()
    with _lock:
        due = {user: at for user, at in _seen.items() if user not in _written or not timedelta(0) <= now - _written[user] < EVERY}
        for user in due:
            _written[user] = now
            del _seen[user]
    if due:
        rows = [Presence(user_id=user, seen_at=at) for user, at in sorted(due.items())]
        with capture("presence.write_failed"):
            Presence.objects.bulk_create(rows, update_conflicts=True, unique_fields=["user"], update_fields=["seen_at"])


def forget() -> None:
    """As a fresh process. Called between tests."""
    with _lock:
        _seen.clear()
        _written.clear()


metrics.also_at_flush(write)
