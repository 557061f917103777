"""Hears every event: judges the rules that listen to it. Discovered by the kernel under this file's name."""

from collections.abc import Sequence

from automation.services.judging import judgement
from config.kernel.models import Event
from config.kernel.plugins.contracts import subscribers


class Judge:
    """The subscriber. Idempotent: an execution is unique by rule and event."""

    def hear(self, events: Sequence[Event]) -> None:
        """Verdicts and executions, in the caller's transaction."""
        judgement.hear(events)


subscribers.register("automation.judge", Judge())
