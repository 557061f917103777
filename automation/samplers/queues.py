"""Measures queues: how long, how old, how fast, each by itself and all together."""

from collections.abc import Mapping, Sequence

from automation.models import Queue
from automation.services import work
from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers

MOST = 100
FACTS = (
    Fact("queue_items", about="Items waiting, in all queues together."),
    Fact("queue_oldest_age", unit="s", about="How long the oldest waiting item of any queue has waited."),
    Fact("queue_failed", about="Items whose attempts are used up, in all queues together."),
    Fact("queues.<name>.depth", about="Items waiting in one queue."),
    Fact("queues.<name>.oldest_age", unit="s", about="How long the oldest waiting item of one queue has waited."),
    Fact("queues.<name>.throughput", unit="/s", about="Items of one queue done per second, over the last five minutes."),
)


class Queues(Sampler):
    """The first hundred queues by name; the totals are of those."""

    title = "Queues"

    def facts(self) -> Sequence[Fact]:
        """The totals, then three names for each queue."""
        return FACTS

    def measure(self) -> Mapping[str, float]:
        """All of them, in two statements. Without a queue there is nothing to measure."""
        rows = _queues()
        if not rows:
            return {}
        found = work.figures_of(rows)
        values = {
            "queue_items": float(sum(one.depth for one in found.values())),
            "queue_oldest_age": max(one.oldest_age_seconds for one in found.values()),
            "queue_failed": float(sum(one.failed for one in found.values())),
        }
        for queue in rows:
            one, name = found[queue.pk], f"queues.{queue.slug}"
            values |= {
                f"{name}.depth": float(one.depth),
                f"{name}.oldest_age": one.oldest_age_seconds,
                f"{name}.throughput": one.throughput_per_minute / 60,
            }
        return values


def _queues() -> list[Queue]:
    return list(Queue.living.defer("parameters").order_by("slug")[:MOST])


samplers.register("automation.queues", Queues(), module=__name__)
