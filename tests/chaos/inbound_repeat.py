"""The same delivery of GitHub, twenty times at once, while the web process is killed: exactly one event."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from tests.chaos import publishing
from tests.chaos.arrivals import Arrivals
from tests.chaos.publishing import FROM_GITHUB, GITHUB, Publisher
from tests.chaos.scenario import Findings
from tests.support import receivers
from tests.support.stack import Stack, until

STANDS = ("sqlite", "servers")
# Different deliveries, one after the other.
SIZES = {"small": 3, "full": 50}
AT_ONCE = 20
EVENTS = "SELECT COUNT(*) FROM kernel_event WHERE type = %s"


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Send each delivery from twenty threads; the web is killed in the middle of every third."""
    findings, publisher, web = Findings(), Publisher(house), "web" if "web" in house.commands else "up"
    markers = [f"rep-{rng.randrange(16**6):06x}-{number}" for number in range(SIZES[scale])]
    before = house.rows(EVENTS, GITHUB)[0][0]
    with receivers.ok() as receiver, ThreadPoolExecutor(AT_ONCE) as pool:
        endpoint = publishing.subscribe(house, receiver.url, [FROM_GITHUB])
        arrivals = Arrivals(receiver)
        kills = 0
        for number, marker in enumerate(markers):
            answers = [pool.submit(publisher.github, marker) for _ in range(AT_ONCE)]
            if number % 3 == 0:
                time.sleep(rng.uniform(0.0, 0.1))
                house.restart(web)
                kills += 1
            tasks = {str(answer.result().json()["result"].get("task_id")) for answer in answers}
            findings.expect(len(tasks) == 1, f"{marker} was promised as several tasks: {sorted(tasks)}")
        until(lambda: arrivals.count() >= len(markers), seconds=60, what="every delivery")
        house.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")
    events = house.rows(EVENTS, GITHUB)[0][0] - before
    findings.counts = {
        "deliveries": len(markers),
        "posts": len(markers) * AT_ONCE,
        "kills": kills,
        "events": events,
        "refused_and_sent_again": dict(publisher.refused),
    }
    findings.expect(events == len(markers), f"{len(markers)} deliveries became {events} events")
    findings.expect(not arrivals.renamed(), f"came under more than one id: {arrivals.renamed()[:5]}")
    return findings
