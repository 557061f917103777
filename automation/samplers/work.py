"""Work that waits: rows that are due, counted by the duties that work them. `queue_depth` is all of it."""

from collections.abc import Mapping, Sequence

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.language.facts import Fact
from config.kernel.plugins.contracts import duties
from config.kernel.plugins.samplers import Sampler, samplers

FACTS = (
    Fact("queue_depth", about="Rows that are due and wait for a worker, over all duties. A duty may stop counting at its cap."),
    Fact("work.<duty>.due", about="Rows of one duty that are due."),
)
# The tick itself is under way.
SELF = "kernel.sample"


class Work(Sampler):
    """What the sweep would find."""

    title = "Work that waits"

    def facts(self) -> Sequence[Fact]:
        """One name for each duty."""
        return FACTS

    def measure(self) -> Mapping[str, float | None]:
        """One cheap count each; when one cannot be told, the sum is a gap too."""
        now, found = clock.now(), dict[str, float | None]()
        for key, duty in duties.all().items():
            if key != SELF:
                found[f"work.{key}.due"] = None
                with capture("work.count_failed", log_every_seconds=60, duty=key):
                    found[f"work.{key}.due"] = float(duty.due_count(now))
        counts = [count for count in found.values() if count is not None]
        return {**found, "queue_depth": sum(counts) if len(counts) == len(found) else None}


samplers.register("automation.work", Work(), module=__name__)
