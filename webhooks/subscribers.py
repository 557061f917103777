"""Hears every event and fans it out to endpoints. Discovered by the kernel under this file's name."""

from collections.abc import Sequence

from config.kernel.models import Event
from config.kernel.plugins.contracts import subscribers
from webhooks.services import fanout


class Fanout:
    """The subscriber. Idempotent: a delivery is unique by event and endpoint."""

    def hear(self, events: Sequence[Event]) -> None:
        """A delivery for each endpoint that wants it, in the caller's transaction."""
        fanout.hear(events)


subscribers.register("webhooks.fanout", Fanout())
