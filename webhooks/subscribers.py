"""Hears every event: fans it out to endpoints, keeps the list of installations. Discovered by the kernel under this file's name."""

from collections.abc import Sequence

from config.kernel.models import Event
from config.kernel.plugins.contracts import subscribers
from webhooks.services import fanout, installations


class Fanout:
    """The subscriber. Idempotent: a delivery is unique by event and endpoint."""

    def hear(self, events: Sequence[Event]) -> None:
        """A delivery for each endpoint that wants it, in the caller's transaction."""
        fanout.hear(events)


class Installations:
    """The subscriber. Idempotent: one row per installation, and an older event never undoes a newer one."""

    def hear(self, events: Sequence[Event]) -> None:
        """The list of GitHub installations follows their events."""
        installations.hear(events)


subscribers.register("webhooks.fanout", Fanout())
subscribers.register("webhooks.installations", Installations())
