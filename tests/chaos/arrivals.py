"""What came to the receiver, and how often: one side of the ledger."""

import json
import threading
from collections import defaultdict

from tests.support.receivers import Receiver


class Arrivals:
    """Reads what a receiver got. `ids`: the marker of an event → the `webhook-id` of each time it came."""

    def __init__(self, receiver: Receiver) -> None:
        self.ids: dict[str, list[str]] = defaultdict(list)
        self.wrong: list[str] = []
        self._receiver, self._next, self._lock = receiver, 0, threading.Lock()

    def have(self, marker: str) -> bool:
        """Whether the event of that marker has come."""
        self.read()
        return marker in self.ids

    def count(self) -> int:
        """How many different events have come."""
        self.read()
        return len(self.ids)

    def duplicates(self) -> int:
        """How often an event came that had come before."""
        self.read()
        return sum(len(ids) - 1 for ids in self.ids.values())

    def renamed(self) -> list[str]:
        """Markers that came under more than one `webhook-id`, or under one that is not the event's."""
        self.read()
        return [marker for marker, ids in self.ids.items() if len(set(ids)) > 1] + self.wrong

    def read(self) -> None:
        """Take in what has come since the last time."""
        with self._lock:
            while self._next < len(self._receiver.requests):
                request = self._receiver.requests[self._next]
                self._next += 1
                body = json.loads(request.body)
                marker = body["data"].get("videoId") or body["data"]["after"]
                self.ids[marker].append(request.headers["webhook-id"])
                if request.headers["webhook-id"] != body["eventId"]:
                    self.wrong.append(marker)
