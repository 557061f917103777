"""What one process has in flight, and the round it goes: record, claim, send, collect. Called by `turns` only."""

import secrets
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from config.kernel.desk import connections
from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.wire import http
from webhooks.services.dispatch import agenda, claiming, consequences, recording, sending
from webhooks.services.dispatch.claiming import Claimed

# While requests are open, this often is looked whether something new is due, and glanced whether there is anything new at all: a nudge
# cannot reach a worker that is at it.
LOOK_SECONDS = 0.05
GLANCE_SECONDS = 0.01
# Replies are recorded together: as many as this, or what came within the time.
GATHER = 100
GATHER_SECONDS = 0.02
# When told to stop, replies are awaited this long.
FAREWELL_SECONDS = 8

stopping = threading.Event()


class Pipeline:
    """It outlives a drain that ran out of time, or out of its database; the next one goes on with it."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(16)
        self.recorded = 0
        self._in_flight: dict[tuple[bool, int], tuple[Claimed, http.Request]] = {}
        self._replies: SimpleQueue[tuple[Claimed, http.Reply]] = SimpleQueue()
        self._ended: list[tuple[Claimed, http.Reply]] = []
        self._book = sending.AddressBook()
        self._endpoints = consequences.Record()
        self._left: int | None = None
        self._newest = 0
        self._look_at = self._renew_at = self._stay_until = self._farewell_at = 0.0

    def run(self, *, seconds: float, limit: int | None, stay_seconds: float) -> bool:
        """Work for up to `seconds`; True when there is nothing left to do. Raises DatabaseError when the database goes away."""
        end, self._left = time.monotonic() + seconds, limit
        self._look_at = self._stay_until = 0.0
        while True:
            self._record()
            is_idle = self._claim() == 0 and not self._in_flight
            if is_idle and not self._stays(stay_seconds):
                return True
            if time.monotonic() >= end or (stopping.is_set() and self._says_farewell()):
                return False
            self._collect()
            self._renew()

    def _claim(self) -> int:
        """Lease and send what there is room for; how many. Looks only when there may be something new."""
        room = claiming.TOTAL - len(self._in_flight)
        if self._left is not None:
            room = min(room, self._left)
        space = claiming.TOTAL_BYTES - sum(len(claimed.body) for claimed, _ in self._in_flight.values())
        if min(room, space) <= 0 or stopping.is_set() or (time.monotonic() < self._look_at and not self._has_new()):
            return 0
        self._look_at = time.monotonic() + LOOK_SECONDS
        if not self._in_flight:
            connections.renew()  # a drain stays for a while: a wish is heard between two sendings, not only between two drains
        retries = sum(claimed.is_retry for claimed, _ in self._in_flight.values())
        found = agenda.ready(clock.now())
        if not found:
            return 0
        retry_room = int(claiming.TOTAL * claiming.RETRY_SHARE) - retries
        claimed = claiming.claim(found, token=self.token, room=room, retry_room=retry_room, space=space)
        # What this look took is no news to the next glance.
        self._newest = max([self._newest, *(one.id for one in claimed if not one.is_batch)])
        self._send(claimed)
        return len(claimed)

    def _has_new(self) -> bool:
        before, self._newest = self._newest, agenda.newest()
        return self._newest > before

    def _send(self, claimed: Sequence[Claimed]) -> None:
        self._book.refresh({one.endpoint_id for one in claimed})
        now, items = clock.now(), []
        for one in claimed:
            if open_one := self._in_flight.get(one.key):
                # Its lease ended (the database was away), or it was cancelled and sent again, while our request was open: that
                # request's reply is the one that counts, for the row as it is now.
                self._in_flight[one.key] = (one, open_one[1])
                continue
            # What cannot be signed keeps its lease until that ends: it is tried again, but not at once.
            with capture("delivery.not_signed", delivery=one.uid):
                request = sending.request_of(one, self._book[one.endpoint_id], now=now)
                self._in_flight[one.key] = (one, request)
                items.append((one, request))
        http.submit_all(items, self._take_in)
        self._stay_until = 0.0
        if self._left is not None:
            self._left -= len(claimed)

    def _take_in(self, claimed: Claimed, reply: http.Reply) -> None:
        """Called on the client's thread."""
        self._replies.put((claimed, reply))

    def _collect(self) -> None:
        """Wait for a first reply, then a little for its neighbours: recording many at once costs little more than one."""
        try:
            self._ended.append(self._replies.get(timeout=GLANCE_SECONDS if self._in_flight else LOOK_SECONDS))
        except Empty:
            return
        end = time.monotonic() + GATHER_SECONDS
        while len(self._ended) < len(self._in_flight):
            wait = end - time.monotonic() if len(self._ended) < GATHER else 0.0
            try:
                self._ended.append(self._replies.get(timeout=max(wait, 0.0)))
            except Empty:
                return

    def _record(self) -> None:
        """Write down what has ended. Should the database be away, it is kept for the next turn."""
        if not self._ended:
            return
        self._book.refresh({claimed.endpoint_id for claimed, _ in self._ended})
        outcomes = [self._judge(claimed, reply) for claimed, reply in self._ended]
        recording.record(outcomes, token=self.token)
        for claimed, _ in self._ended:
            self._in_flight.pop(claimed.key, None)
        self._ended = []
        self.recorded += len(outcomes)
        self._look_at = 0.0
        self._endpoints.add(outcomes)
        recording.count(outcomes)

    def _judge(self, claimed: Claimed, reply: http.Reply) -> sending.Outcome:
        current, request = self._in_flight[claimed.key]
        return sending.judge(current, request, reply, self._book[current.endpoint_id])

    def _renew(self) -> None:
        if self._in_flight and time.monotonic() >= self._renew_at:
            if self._renew_at:
                claiming.renew(list(self._in_flight), token=self.token)
            self._renew_at = time.monotonic() + claiming.RENEW_SECONDS

    def _stays(self, stay_seconds: float) -> bool:
        """Whether something becomes due so soon that waiting for it is better than for the sweep."""
        if not stay_seconds or stopping.is_set() or self._left == 0:
            return False
        if not self._stay_until:
            now = clock.now()
            due_at = agenda.next_due_at(now)
            wait = (due_at - now).total_seconds() if due_at else stay_seconds + 1
            self._stay_until = time.monotonic() + (wait if wait <= stay_seconds else 0.0)
        return time.monotonic() < self._stay_until

    def _says_farewell(self) -> bool:
        """Told to stop: whether everything has ended, or has been waited for long enough."""
        self._farewell_at = self._farewell_at or time.monotonic() + FAREWELL_SECONDS
        return not self._in_flight or time.monotonic() >= self._farewell_at
