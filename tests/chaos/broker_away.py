"""Redis away for a while: what comes in is accepted as ever, and delivered when it is back, without a hand."""

import random
import time

from tests.chaos import publishing
from tests.chaos.arrivals import Arrivals
from tests.chaos.blows import NORMAL_SECONDS, PATIENCE
from tests.chaos.publishing import FROM_GITHUB, PROGRAM, Publisher
from tests.chaos.scenario import Findings
from tests.support import receivers
from tests.support.stack import Stack, until

STANDS = ("servers",)
# Events, and the seconds that Redis is away.
SIZES = {"small": (60, 10), "full": (2000, 120)}
# Nobody who sends us something may feel it.
ANSWER_SECONDS = 5.0
# Nudges that piled up would be worked off one by one.
MOST_WAITING = 20


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Stop Redis, publish, start it again."""
    size, away_seconds = SIZES[scale]
    assert house.own is not None
    assert house.own.redis is not None
    findings, publisher = Findings(), Publisher(house)
    markers = [f"away-{rng.randrange(16**6):06x}-{number}" for number in range(size)]
    with receivers.ok() as receiver:
        arrivals = Arrivals(receiver)
        endpoint = publishing.subscribe(house, receiver.url, [PROGRAM, FROM_GITHUB])
        house.own.redis.kill()
        stopped = time.monotonic()
        publisher.mixed(markers, rng)
        time.sleep(max(0.0, away_seconds - (time.monotonic() - stopped)))
        house.own.redis.start()
        back = time.monotonic()
        until(
            lambda: arrivals.count() >= size,
            seconds=2 * PATIENCE[scale] * NORMAL_SECONDS + size / 100,
            what="every event after Redis came back",
        )
        seconds = round(time.monotonic() - back, 2)
        waiting = _waiting(house)
        house.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")
    findings.counts = {
        "published": len(publisher.accepted),
        "arrived": arrivals.count(),
        "duplicates": arrivals.duplicates(),
        "refused_and_sent_again": dict(publisher.refused),
        "slowest_answer_seconds": round(publisher.slowest_seconds, 2),
        "seconds_away": round(back - stopped, 1),
        "seconds_until_all_arrived": seconds,
        "nudges_waiting": waiting,
    }
    findings.expect(not publisher.refused, f"refused while Redis was away: {dict(publisher.refused)}")
    findings.expect(publisher.slowest_seconds <= PATIENCE[scale] * ANSWER_SECONDS, f"an answer took {publisher.slowest_seconds:.1f} s")
    findings.expect(seconds <= PATIENCE[scale] * NORMAL_SECONDS + size / 100, f"it took {seconds} s until all was delivered")
    findings.expect(waiting <= MOST_WAITING, f"{waiting} nudges were waiting in Redis")
    return findings


def _waiting(house: Stack) -> int:
    import redis

    assert house.own is not None
    client = redis.Redis.from_url(house.own.redis_url)
    try:
        return sum(int(client.llen(queue)) for queue in ("default", "deliveries"))  # type: ignore[arg-type]
    finally:
        client.close()
