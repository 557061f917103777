"""Nudges and the sweep: how work that rows ask for gets done soon, and for certain. The row is the truth, a message is only a hint."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import KombuError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.plugins.contracts import duties

log = logging.getLogger("kernel.jobs")

# One turn of a duty; after it the duty nudges itself, so that a worker can be stopped and others get their turn.
TURN_SECONDS = 30
BATCH = 100
# A nudge that waits longer than this has been lost; the next one may be sent.
NUDGE_SECONDS = 5
# A duty whose last turn here ended less than BUSY_SECONDS ago and that finds MANY is under load: it stays for STAY_SECONDS, with pauses
# in which work gathers. With less, whoever comes next is better off with a message of its own than with half a pause.
BUSY_SECONDS, MANY = 0.1, 5
GATHER_SECONDS = 0.03
STAY_SECONDS = 1
# While the broker is away, nobody waits for it more often than this.
PAUSE_SECONDS = 2
# What a cache or a broker that is away raises.
AWAY = (RedisError, KombuError, OSError)

Send = Callable[[str, str], None]


@dataclass
class _Turn:
    """Whether this process is at a duty, and whether it was nudged meanwhile."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    is_busy: bool = False
    is_nudged: bool = False
    ended: float = float("-inf")


_turns: dict[str, _Turn] = defaultdict(_Turn)
_quiet_until: datetime | None = None
_send: Send | None = None


def use_sender(send: Send) -> None:
    """Who carries a nudge: `send(duty, queue)`. Set once by the Celery tasks module."""
    global _send  # noqa: PLW0603 - one wire for the whole process
    _send = send


def nudge(key: str) -> None:
    """Have the duty `key` run soon, after commit. At most one nudge waits; never raises, a lost one is made good by the sweep."""
    transaction.on_commit(partial(_nudge_now, key))


def take(key: str) -> None:
    """Do what a nudge asks for. Under load its mark stays for a while, so that nobody sends another: a message costs more than a look."""
    begin = time.monotonic()
    if begin - _turns[key].ended < BUSY_SECONDS:
        while work(key) >= MANY and time.monotonic() < begin + STAY_SECONDS:
            time.sleep(GATHER_SECONDS)
    started(key)
    work(key)


def started(key: str) -> None:
    """A worker took the nudge: from here on a new one may be sent."""
    with suppress(*AWAY):
        if settings.REDIS_URL:
            _redis(settings.REDIS_URL, settings.REDIS_PASSWORD).delete(f"steward:nudge:{key}")
        else:
            cache.delete(f"nudge:{key}")


def work(key: str) -> int:
    """Do what the duty has to do now, in this process at most once at a time; how many rows were worked."""
    turn = _turns[key]
    with turn.lock:
        if turn.is_busy:
            turn.is_nudged = True
            return 0
        turn.is_busy = True
    done = 0
    try:
        while True:
            turn.is_nudged = False
            done += _work_until(key, clock.now() + timedelta(seconds=TURN_SECONDS))
            with turn.lock:
                if not turn.is_nudged:
                    turn.is_busy, turn.ended = False, time.monotonic()
                    return done
    except BaseException:
        turn.is_busy = False
        raise


def sweep() -> list[str]:
    """Ask every duty what is due and nudge those that have something; their keys. What is periodic has its own schedule."""
    found = []
    for key, duty in duties.all().items():
        with capture("duty.due_count_failed", duty=key):
            if duty.due_count(clock.now()) > 0:
                found.append(key)
                _nudge_now(key)
    return found


def _work_until(key: str, end: datetime) -> int:
    duty, done = duties.get(key), 0
    while True:
        count = duty.work(clock.now(), BATCH)
        done += count
        if count < BATCH:
            return done
        if clock.now() >= end:
            _nudge_now(key)
            return done


def _nudge_now(key: str) -> None:
    global _quiet_until  # noqa: PLW0603 - remembered per process, on purpose
    if _send is None or (_quiet_until is not None and clock.now() < _quiet_until):
        return
    try:
        if _is_first(key):
            _send(key, duties.get(key).queue)
    except AWAY as error:
        _quiet_until = clock.now() + timedelta(seconds=PAUSE_SECONDS)
        log.warning("nudge.lost", extra={"context": {"duty": key, "error": type(error).__name__}})


def _is_first(key: str) -> bool:
    """Whether no nudge for `key` waits anywhere; from now on one does."""
    if not settings.REDIS_URL:
        return bool(cache.add(f"nudge:{key}", 1, timeout=NUDGE_SECONDS))
    # Django's cache builds a client for each call, which costs more than the call: too much at a thousand events a second.
    return bool(_redis(settings.REDIS_URL, settings.REDIS_PASSWORD).set(f"steward:nudge:{key}", 1, nx=True, ex=NUDGE_SECONDS))


@lru_cache(maxsize=4)
def _redis(url: str, password: str) -> redis.Redis:
    options = {"client_name": settings.CLIENT_NAME, **({"password": password} if password else {})}
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0), **options)
