"""The duties of webhooks: deliver, replay, close gaps, tidy, judge. The sweep and the nudges of the kernel run them."""

from datetime import datetime
from typing import Any

from celery import signals

from config.kernel.plugins.contracts import duties
from webhooks.services import dispatch, gaps, judgement, replay, retention

# A drain waits for what becomes due within this, so that retries and rate limits keep their time; the sweep brings the rest.
STAY_SECONDS = 5.0


class Deliver:
    """Send what is due. Has a queue and a worker of its own, so that nothing else ever waits for a slow receiver."""

    queue = "deliveries"

    def due_count(self, now: datetime) -> int:
        """How many endpoints have something to be sent."""
        return dispatch.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Drain. Not by `limit`: a pipeline that is emptied every hundred deliveries is no pipeline."""
        dispatch.drop_empty()
        return dispatch.drain(stay_seconds=STAY_SECONDS)


class Replay:
    """Bring past events to an endpoint again, at the pace that was asked for."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many replays have their next step due."""
        return replay.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Take the next steps."""
        return replay.work(now, limit)


class Gaps:
    """Ask senders for what never arrived."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many sources are due for a look."""
        return gaps.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Look, and have missing deliveries sent again."""
        return gaps.work(now, limit)


class Retention:
    """Remove what has been kept long enough."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many rows may go."""
        return retention.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Remove some of them."""
        return retention.work(now, limit)


class Judgement:
    """Warn of endpoints that do nothing but fail for days, and disable them in the end."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many endpoints are to be warned of, or have used up their days."""
        return judgement.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Warn, or disable them."""
        return judgement.work(now, limit)


duties.register("webhooks.deliver", Deliver())
duties.register("webhooks.replay", Replay())
duties.register("webhooks.gaps", Gaps())
duties.register("webhooks.retention", Retention())
duties.register("webhooks.judgement", Judgement())


@signals.worker_shutting_down.connect
def finish_deliveries(**_: Any) -> None:
    """A worker that is told to stop claims nothing more; what it has in flight is awaited for a few seconds."""
    dispatch.stop()
