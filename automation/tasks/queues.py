"""The duties of queues: work them off, watch for delays, forget what is old. The sweep and the nudges of the kernel run them."""

from datetime import datetime

from automation.services import queues
from automation.services.work import delays, drain, due_queues, recover, retention
from config.kernel.flow import schedules
from config.kernel.plugins.contracts import duties

WATCH_SECONDS = 15
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


duties.register(queues.DUTY, Work())
duties.register("automation.watch_queues", Watch())
duties.register("automation.items_retention", Retention())
schedules.every(WATCH_SECONDS, "queues", args=("automation.watch_queues",), about="Finds lost items and queues that are late.")
schedules.every(3600, "queues tidy", args=("automation.items_retention",), about="Removes items that have been kept long enough.")
