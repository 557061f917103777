"""Wave after wave of events: when the caches are filled, the processes grow no more."""

import random

from tests.chaos import publishing
from tests.chaos.arrivals import Arrivals
from tests.chaos.publishing import FROM_GITHUB, PROGRAM, Publisher
from tests.chaos.scenario import Findings
from tests.support import receivers
from tests.support.stack import Stack, until

STANDS = ("sqlite", "servers")
# Waves, and events in each.
SIZES = {"small": (3, 200), "full": (10, 2000)}
# What a part may grow after the first wave, which fills its caches and pools: generous, but it ends.
MOST_GROWTH_BYTES = 96 * 1024 * 1024


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Publish and deliver wave by wave; measure after each."""
    waves, size = SIZES[scale]
    findings, publisher, sizes = Findings(), Publisher(house), []
    with receivers.ok() as receiver:
        arrivals = Arrivals(receiver)
        endpoint = publishing.subscribe(house, receiver.url, [PROGRAM, FROM_GITHUB])
        for wave in range(waves):
            publisher.mixed([f"mem-{rng.randrange(16**6):06x}-{wave}-{number}" for number in range(size)], rng)
            until(lambda: arrivals.count() >= len(publisher.accepted), seconds=60 + size / 20, what=f"wave {wave}")
            sizes.append(house.memory())
        house.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")
    growth = {name: sizes[-1][name] - first for name, first in sizes[0].items()}
    findings.counts = {"published": len(publisher.accepted), "first_bytes": sizes[0], "last_bytes": sizes[-1], "growth_bytes": growth}
    for name, bytes_more in growth.items():
        findings.expect(bytes_more <= MOST_GROWTH_BYTES, f"{name} grew by {bytes_more} bytes in {waves - 1} waves")
    return findings
