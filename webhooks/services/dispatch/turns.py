"""One drain after the other in a process: started by the duty, handed over when its time is up, kept when the database is away."""

import logging
import threading
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection

from config.kernel.flow import jobs
from webhooks.services.dispatch import pipeline
from webhooks.services.dispatch.pipeline import Pipeline

log = logging.getLogger("webhooks.dispatch")

DUTY = "webhooks.deliver"
# After this a drain hands over to the next, with what is in flight, so that nothing else of the worker waits for long.
TURN_SECONDS = 30.0
DATABASE_AWAY = (OperationalError, InterfaceError)

_busy = threading.Lock()
_wanted = threading.Event()
_kept: Pipeline | None = None


def drain(now: datetime | None = None, limit: int | None = None, *, seconds: float = TURN_SECONDS, stay_seconds: float = 0.0) -> int:
    """Deliver until nothing is due and nothing in flight, or `limit` were sent, or `seconds` are over; how many were recorded.

    One drain runs per process; who comes meanwhile has it look once more and gets 0. `stay_seconds`: how soon something must become
    due for the drain to wait for it. `now` is part of every duty's signature; the clock is asked again and again instead.
    """
    _wanted.set()
    done = 0
    while _wanted.is_set() and _busy.acquire(blocking=False):
        try:
            _wanted.clear()
            done += _turn(seconds, None if limit is None else limit - done, stay_seconds)
        finally:
            _busy.release()
    return done


def stop() -> None:
    """Claim nothing more in this process; a drain under way ends with its requests, or after a few seconds."""
    pipeline.stopping.set()


def _turn(seconds: float, limit: int | None, stay_seconds: float) -> int:
    global _kept  # noqa: PLW0603 - one pipeline for the whole process
    _drop_broken_connection()
    mine, _kept = _kept or Pipeline(), None
    before = mine.recorded
    try:
        if not mine.run(seconds=seconds, limit=limit, stay_seconds=stay_seconds):
            _kept = mine
            jobs.nudge(DUTY)
    except DATABASE_AWAY as error:
        # Replies that are not recorded yet are kept: the sweep brings the next turn, in time for their leases if all goes well.
        _kept = mine
        log.warning("dispatch.database_away", extra={"context": {"error": type(error).__name__, "detail": str(error)[:300]}})
        _drop_broken_connection()
    return mine.recorded - before


def _drop_broken_connection() -> None:
    # Not inside a transaction of the caller's: whatever is wrong there is the caller's to find out.
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
