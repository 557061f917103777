"""A receiver that is away for a while: everything arrives when it is back, and meanwhile it is hardly ever asked."""

import random
import time

from tests.chaos import publishing
from tests.chaos.arrivals import Arrivals
from tests.chaos.blows import MOST_IN_FLIGHT
from tests.chaos.publishing import PROGRAM, Publisher
from tests.chaos.scenario import SETTINGS, Findings
from tests.support import receivers
from tests.support.stack import Stack, until

STANDS = ("sqlite", "servers")
# Events, and the seconds that the receiver is away.
SIZES = {"small": (60, 8), "full": (1000, 120)}
ATTEMPTS = """
SELECT COUNT(*), COALESCE(MAX(a.number), 0) FROM webhooks_attempt a
JOIN webhooks_delivery d ON d.id = a.delivery_id JOIN webhooks_endpoint e ON e.id = d.endpoint_id
WHERE e.uid = %s AND a.error_code <> ''
"""


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Publish to a closed port, open it later."""
    size, away_seconds = SIZES[scale]
    findings, publisher, port = Findings(), Publisher(house), receivers.refused_port()
    markers = [f"down-{rng.randrange(16**6):06x}-{number}" for number in range(size)]
    again = {"retry_strategy": "fixed", "retry_delay_seconds": 1, "retry_attempts": 99}
    endpoint = publishing.subscribe(house, f"http://127.0.0.1:{port}/hook", [PROGRAM], **again)
    began = time.monotonic()
    for start in range(0, size, 50):
        publisher.batch(markers[start : start + 50])
    until(lambda: house.rows(ATTEMPTS, endpoint)[0][0] >= 5, what="the first failures")
    time.sleep(away_seconds)
    with receivers.ok(port=port) as receiver:
        arrivals, back = Arrivals(receiver), time.monotonic()
        until(lambda: arrivals.count() >= size, seconds=60, what="every event after the receiver came back")
        seconds = round(time.monotonic() - back, 2)
    failed, most = house.rows(ATTEMPTS, endpoint)[0]
    trials = (time.monotonic() - began) / float(SETTINGS["WEBHOOK_BREAKER_RECOVERY"])
    house.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")
    findings.counts = {
        "published": len(publisher.accepted),
        "arrived": arrivals.count(),
        "duplicates": arrivals.duplicates(),
        "seconds_away": away_seconds,
        "seconds_until_all_arrived": seconds,
        "failed_attempts": failed,
        "most_attempts_of_one": most,
    }
    # What was on its way when the breaker opened, and one trial each time its pause was over.
    findings.expect(failed <= 2 * MOST_IN_FLIGHT + trials, f"{failed} attempts were wasted in {trials:.0f} pauses of the breaker")
    findings.expect(arrivals.duplicates() == 0, f"{arrivals.duplicates()} came twice although nothing was killed")
    return findings
