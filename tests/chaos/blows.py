"""What an installation is struck with, and how it is known that everything is normal again."""

import contextlib
import time
from collections.abc import Callable

import redis

from tests.chaos.arrivals import Arrivals
from tests.chaos.publishing import Publisher
from tests.support.stack import Stack, until

NORMAL_SECONDS = 30
# At small scale a busy machine may take longer to start a process; only a run at full scale holds the promise to the second.
PATIENCE = {"small": 3, "full": 1}
# The option WEBHOOK_MAX_IN_FLIGHT: what is on its way to one endpoint at most.
MOST_IN_FLIGHT = 16
# After this no nudge is on its way any more.
QUIET_SECONDS = 0.5
IN_FLIGHT = "SELECT COUNT(*) FROM webhooks_delivery WHERE status = 'sending'"

Strike = Callable[[Stack], int]
"""Strikes and restarts at once; how many requests were in flight, which are those that may come twice."""


def of(house: Stack) -> dict[str, Strike]:
    """Everything that can be struck in this installation, by name."""
    if house.own is None or house.own.postgres is None:
        return {"kill up": _killing("up", sends=True)}
    kills = {f"kill {name}": _killing(name, sends=name == "deliveries") for name in house.commands}
    return {**kills, "flush redis": _flush, "crash postgresql": _crash_database, "restart postgresql": _restart_database}


def until_delivered(house: Stack, publisher: Publisher, arrivals: Arrivals, *, marker: str) -> float:
    """Publish a fresh event; the seconds until it has arrived, those counted in which nobody took it."""
    started = time.monotonic()
    publisher.single(marker)
    until(lambda: arrivals.have(marker), seconds=4 * NORMAL_SECONDS, what=f"the delivery of {marker}")
    return round(time.monotonic() - started, 2)


def until_swept(house: Stack, *, marker: str) -> float:
    """Leave a routed event unrouted without a nudge; the seconds until schedule, sweep and worker have found it.

    To be called while nothing is published, for that would bring a nudge.
    """
    until(lambda: _routed(house, marker), seconds=4 * NORMAL_SECONDS, what=f"the routing of {marker}")
    time.sleep(QUIET_SECONDS)
    started = time.monotonic()
    house.rows("UPDATE kernel_event SET routed_at = NULL WHERE uid = %s", marker)
    until(lambda: _routed(house, marker), seconds=4 * NORMAL_SECONDS, what="the sweep")
    return round(time.monotonic() - started, 2)


def _routed(house: Stack, marker: str) -> bool:
    return bool(house.rows("SELECT COUNT(*) FROM kernel_event WHERE uid = %s AND routed_at IS NOT NULL", marker)[0][0])


def _killing(name: str, *, sends: bool) -> Strike:
    def strike(house: Stack) -> int:
        house.kill(name)
        # Counted while nobody sends: what it had claimed and not recorded.
        in_flight = house.rows(IN_FLIGHT)[0][0] if sends else 0
        house.start(name)
        return int(in_flight)

    return strike


def _flush(house: Stack) -> int:
    assert house.own is not None
    with contextlib.closing(redis.Redis.from_url(house.own.redis_url)) as client:
        client.flushall()
    return 0


def _crash_database(house: Stack) -> int:
    assert house.own is not None
    assert house.own.postgres is not None
    house.own.postgres.crash()
    house.own.postgres.start()
    return MOST_IN_FLIGHT


def _restart_database(house: Stack) -> int:
    assert house.own is not None
    assert house.own.postgres is not None
    house.own.postgres.restart()
    return MOST_IN_FLIGHT
