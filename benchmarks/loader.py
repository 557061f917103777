"""The sender of a benchmark, a process of its own: `python -m benchmarks.loader`, one JSON plan in, one JSON result out.

Open loop: requests leave by schedule whether or not earlier ones were answered, and latency counts from the scheduled time, so that a
server that stalls cannot hide it. `rate` 0 sends as fast as answers come (to find where to begin).
"""

import asyncio
import re
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass

import orjson

from benchmarks import payloads
from benchmarks.payloads import Wanted

TICK_SECONDS = 0.001
# After the last scheduled request, answers are awaited this long; what is missing then counts as unanswered.
GRACE_SECONDS = 20
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# Requests made in advance when there is no schedule.
MOST = 60_000


@dataclass(frozen=True)
class Plan:
    """How many requests a second (0: as answers come), for how long, over how many connections."""

    port: int
    rate: float
    seconds: float
    connections: int
    wanted: Wanted


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request open."""

    def __init__(self, load: "Load") -> None:
        self.load, self.buffer, self.number = load, b"", -1
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, number: int) -> None:
        self.number = number
        assert self.transport is not None
        self.transport.write(self.load.requests[number])

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self.buffer, 0, end + 2)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self.buffer) < whole:
            return
        status, body = int(self.buffer[9:12]), self.buffer[end + 4 : whole]
        self.buffer, number, self.number = b"", self.number, -1
        self.load.answered(self, number, status, body)

    def connection_lost(self, error: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """The schedule, the connections and what came back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.count = int(plan.rate * plan.seconds) if plan.rate else min(MOST, int(plan.seconds * 8000))
        self.count = max(1, self.count // (plan.wanted.batch if not plan.rate else 1))
        self.requests = [payloads.request(plan.wanted, number) for number in range(self.count)]
        self.statuses: Counter[int] = Counter()
        self.created = 0
        self.latencies: list[float] = []
        self.idle: deque[Connection] = deque()
        self.waiting: deque[int] = deque()
        self.begin = self.last = 0.0
        self.sent = self.unanswered = 0
        self.finished = asyncio.Event()

    async def run(self) -> None:
        """Connect, send all of it, wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port)
            self.idle.append(connection)
        self.begin = time.monotonic()
        await (self._by_schedule() if self.plan.rate else self._by_answers())

    async def _by_schedule(self) -> None:
        next_number = 0
        while next_number < self.count:
            due = min(self.count, int((time.monotonic() - self.begin) * self.plan.rate) + 1)
            self.waiting.extend(range(next_number, due))
            next_number = due
            self._send_waiting()
            await asyncio.sleep(TICK_SECONDS)
        self._finish_if_done()
        try:
            await asyncio.wait_for(self.finished.wait(), GRACE_SECONDS)
        except TimeoutError:
            self.unanswered += self.count - sum(self.statuses.values()) - self.unanswered

    async def _by_answers(self) -> None:
        self.waiting.extend(range(self.count))
        self._send_waiting()
        await asyncio.sleep(self.plan.seconds)
        self.waiting.clear()
        self.count = self.sent
        self._finish_if_done()
        await asyncio.wait_for(self.finished.wait(), GRACE_SECONDS)

    def _send_waiting(self) -> None:
        while self.waiting and self.idle:
            self.sent += 1
            self.idle.popleft().send(self.waiting.popleft())

    def answered(self, connection: Connection, number: int, status: int, body: bytes) -> None:
        """An answer came."""
        self.last = time.monotonic()
        scheduled = self.begin + number / self.plan.rate if self.plan.rate else self.begin
        self.latencies.append(self.last - scheduled)
        self.statuses[status] += 1
        if self.plan.wanted.kind == "batch" and status == 202:
            self.created += orjson.loads(body)["created"]
        self.idle.append(connection)
        self._send_waiting()
        self._finish_if_done()

    def lost(self, connection: Connection) -> None:
        """A connection ended; a request open on it was not answered."""
        if connection.number >= 0:
            self.unanswered += 1
        if connection in self.idle:
            self.idle.remove(connection)
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        if not self.waiting and sum(self.statuses.values()) + self.unanswered >= self.count:
            self.finished.set()

    def result(self) -> dict[str, object]:
        """All there is to know, times in seconds."""
        return {
            "begin": self.begin,
            "seconds": max(self.last - self.begin, 1e-9),
            "sent": self.sent,
            "statuses": {str(status): amount for status, amount in self.statuses.items()},
            "created": self.created,
            "unanswered": self.unanswered,
            "latencies": self.latencies,
        }


def main() -> None:
    """Read the plan, print the result."""
    given = orjson.loads(sys.stdin.buffer.read())
    plan = Plan(**{**given, "wanted": Wanted(**given["wanted"])})

    async def go() -> dict[str, object]:
        load = Load(plan)
        await load.run()
        return load.result()

    sys.stdout.buffer.write(orjson.dumps(asyncio.run(go())))


if __name__ == "__main__":
    main()
