"""The ledger: events are published while everything is killed in turn; whatever was accepted arrives, and the books agree."""

import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.chaos import blows, publishing
from tests.chaos.arrivals import Arrivals
from tests.chaos.blows import Strike
from tests.chaos.publishing import FROM_GITHUB, PROGRAM, Publisher
from tests.chaos.scenario import Findings
from tests.support import receivers
from tests.support.receivers import Received, Receiver
from tests.support.stack import Stack, until

STANDS = ("sqlite", "servers")
# Events, and how often each thing is struck. `up` is the only thing there is on SQLite, so it is struck more often.
SIZES = {"small": (400, 1), "full": (10_000, 3)}
TIMES_UP = {"small": 2, "full": 12}
# What a part of the installation may use, its child processes included: generous, but it ends.
MOST_BYTES = 768 * 1024 * 1024
END_SECONDS = 120
# The receiver takes its time, so that whatever is struck has requests in flight.
THOUGHT_SECONDS = 0.05


def run(house: Stack, *, scale: str, rng: random.Random) -> Findings:
    """Publish, strike, wait until all is normal; and so on. In the end every accepted event must have arrived."""
    size, times = SIZES[scale]
    strikes = blows.of(house)
    order = [(name, strike) for name, strike in strikes.items() for _ in range(times if len(strikes) > 1 else TIMES_UP[scale])]
    rng.shuffle(order)
    markers = [f"led-{rng.randrange(16**6):06x}-{number:05d}" for number in range(size)]
    with receivers.serve(_thoughtful) as receiver:
        endpoint = publishing.subscribe(house, receiver.url, [PROGRAM, FROM_GITHUB])
        book = _Book(house, endpoint, Publisher(house), Arrivals(receiver), scale=scale)
        for number, (name, strike) in enumerate(order):
            book.round(name, strike, markers[number :: len(order)], rng)
        book.close()
        house.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")
        return book.findings


def _thoughtful(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
    receiver.stopped.wait(THOUGHT_SECONDS)
    return receivers.answering(200, b"")(receiver, connection, request)


class _Book:
    """Both sides of the ledger, and what is found in them."""

    def __init__(self, house: Stack, endpoint: str, publisher: Publisher, arrivals: Arrivals, *, scale: str) -> None:
        self.house, self.endpoint, self.publisher, self.arrivals = house, endpoint, publisher, arrivals
        self.findings = Findings()
        self.normal_seconds = blows.NORMAL_SECONDS * blows.PATIENCE[scale]
        self.in_flight = 0
        self.most_bytes: Counter[str] = Counter()

    def round(self, name: str, strike: Strike, markers: list[str], rng: random.Random) -> None:
        """Strike once in the middle of publishing these, and wait until all is normal."""
        pause, seed, probe = rng.uniform(0.05, 1.0), rng.random(), f"probe-{len(self.findings.blows)}-{rng.randrange(16**6):06x}"
        with ThreadPoolExecutor(1) as pool:
            publishing = pool.submit(self.publisher.mixed, markers, random.Random(seed))
            time.sleep(pause)
            in_flight = strike(self.house)
            delivered = blows.until_delivered(self.house, self.publisher, self.arrivals, marker=probe)
            publishing.result()
        swept = blows.until_swept(self.house, marker=probe)
        self.in_flight += in_flight
        for part, size in self.house.memory().items():
            self.most_bytes[part] = max(self.most_bytes[part], size)
        self.findings.blows.append({"blow": name, "in_flight": in_flight, "delivered_seconds": delivered, "swept_seconds": swept})
        slow = max(delivered, swept)
        self.findings.expect(slow <= self.normal_seconds, f"after `{name}` it took {slow} s until all was normal")

    def close(self) -> None:
        """Wait for the last arrivals, then compare."""
        accepted = self.publisher.accepted
        started = time.monotonic()
        try:
            until(lambda: self.arrivals.count() >= len(accepted), seconds=END_SECONDS, what="the last arrival")
            until(lambda: self._deliveries()["delivered"] >= len(accepted), seconds=END_SECONDS, what="the last record")
        except AssertionError as late:
            self.findings.problems.append(str(late))
        states, expect = self._deliveries(), self.findings.expect
        lost = sorted(set(accepted) - set(self.arrivals.ids))
        pending = sum(count for state, count in states.items() if state not in ("delivered", "dead"))
        duplicates, renamed = self.arrivals.duplicates(), self.arrivals.renamed()
        self.findings.counts = {
            "published": len(accepted),
            "published_by": dict(Counter(accepted.values())),
            "refused_and_sent_again": dict(self.publisher.refused),
            "arrived": len(self.arrivals.ids),
            "lost": len(lost),
            "delivered": states["delivered"],
            "dead": states["dead"],
            "pending": pending,
            "duplicates": duplicates,
            "in_flight_at_blows": self.in_flight,
            "under_another_id": len(renamed),
            "seconds_after_last_blow": round(time.monotonic() - started, 2),
            "most_bytes": dict(self.most_bytes),
        }
        expect(not lost, f"lost: {lost[:5]}")
        expect(len(accepted) == states["delivered"] + states["dead"] + pending, f"the books do not agree: {dict(states)}")
        expect(not renamed, f"came under more than one id: {renamed[:5]}")
        expect(duplicates <= self.in_flight, f"{duplicates} came twice, {self.in_flight} were in flight")
        expect(max(self.most_bytes.values()) <= MOST_BYTES, f"memory: {dict(self.most_bytes)}")

    def _deliveries(self) -> Counter[str]:
        statement = (
            "SELECT d.status, COUNT(*) FROM webhooks_delivery d JOIN webhooks_endpoint e ON e.id = d.endpoint_id"
            " WHERE e.uid = %s GROUP BY d.status"
        )
        return Counter({str(state): int(count) for state, count in self.house.rows(statement, self.endpoint)})
