"""The duties of queues: have them worked off, watch for delays, forget what is old. Registered by `automation.tasks`."""

from datetime import datetime

from automation.services.work import delays, retention
from automation.services.work.draining import drain, due_queues
from automation.services.work.taking import recover

TURN_SECONDS = 30


class Work:
    """Have queues worked off that are to be worked off by themselves."""

    queue = "actions"

    def due_count(self, now: datetime) -> int:
        """How many queues have something to be done."""
        return due_queues().count()

    def work(self, now: datetime, limit: int) -> int:
        """Work them off for a while, one after another."""
        return min(sum(drain(queue, seconds=TURN_SECONDS) for queue in due_queues()), limit)


class Watch:
    """Find items whose worker vanished, and queues that grow old. It has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `queues`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """One look; 0, for there is nothing more to do."""
        recover()
        delays.look_at_all()
        return 0


class Retention:
    """Remove items that have been kept long enough. It has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `queues tidy`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """Remove all that may go; 0, for there is nothing more to do."""
        retention.remove(now)
        return 0
