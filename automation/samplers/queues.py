"""Measures queues: how long, how old, how fast, each by itself and all together."""

from collections.abc import Mapping, Sequence

from automation.models import Queue
from automation.services import work
from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers

MOST = 100
ALL = (
    Fact("queue_depth", about="Items waiting, in all queues together."),
    Fact("queue_oldest_age", unit="s", about="How long the oldest waiting item of any queue has waited."),
    Fact("queue_failed", about="Items whose attempts are used up, in all queues together."),
)


class Queues(Sampler):
    """The first hundred queues by name; the totals are of those."""

    title = "Queues"

    def facts(self) -> Sequence[Fact]:
        """The totals, then three names for each queue."""
        return [*ALL, *(fact for queue in _queues() for fact in _facts(queue.slug))]

    def measure(self) -> Mapping[str, float]:
        """All of them, in two statements. Without a queue there is nothing to measure."""
        rows = _queues()
        if not rows:
            return {}
        found = work.figures_of(rows)
        values = {
            "queue_depth": float(sum(one.depth for one in found.values())),
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


def _facts(slug: str) -> Sequence[Fact]:
    return (
        Fact(f"queues.{slug}.depth", about=f"Items waiting in the queue {slug}."),
        Fact(f"queues.{slug}.oldest_age", unit="s", about=f"How long the oldest waiting item of the queue {slug} has waited."),
        Fact(f"queues.{slug}.throughput", unit="/s", about=f"Items of the queue {slug} done per second, over the last five minutes."),
    )


samplers.register("automation.queues", Queues(), module=__name__)
