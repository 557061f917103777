"""The duties of queues: have them worked off, watch for delays, forget what is old. Registered by `automation.tasks`."""

from datetime import datetime

from automation.services.work import batches, deeds, delays, draining, retention, taking


class Work:
    """Have queues worked off that are to be worked off by themselves."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many queues lack somebody at work."""
        return len(draining.waiting_queues())

    def work(self, now: datetime, limit: int) -> int:
        """Call for them; each call nudges this duty at its end."""
        draining.call_workers()
        return 0


class Watch:
    """Find items whose worker vanished, and queues that grow old. It has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `queues`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """One look; 0, for there is nothing more to do."""
        taking.recover()
        deeds.cancel_left_behind()
        batches.end_left_behind()
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
