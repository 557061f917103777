"""Queues and items for tests, processors that do as they are told, and the age of items."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from automation.models import Queue, WorkItem
from automation.services import queues, work
from config.acts.plugins.processors import Item, Processor, processors
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Outcome

KEY = "test.processor"
Answer = Callable[[Item], Outcome]


class Told(Processor):
    """Does what `answer` says, and keeps what it was given."""

    title = "Told"

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or (lambda item: Done({"seen": item.payload}))
        self.seen: list[Item] = []

    def process(self, item: Item, params: Mapping[str, Any]) -> Outcome:
        self.seen.append(item)
        return self.answer(item)

    @property
    def numbers(self) -> list[Any]:
        """The `number` of each payload, in the order in which they came."""
        return [item.payload["number"] for item in self.seen]


@contextmanager
def processing(answer: Answer | None = None) -> Iterator[Told]:
    """Within the block there is a processor `test.processor`."""
    told = Told(answer)
    with processors.swapped(KEY, told):
        yield told


def queue(slug: str = "videos", **fields: Any) -> Queue:
    """A queue that only works when it is asked to; its processor must be there: see `processing`."""
    return queues.create(slug=slug, **{"is_automatic": False, "processor": KEY if KEY in processors.all() else "", **fields})


def items(line: Queue, count: int, *, minutes_old: float = 0, **fields: Any) -> list[WorkItem]:
    """`count` items with numbers from 0; the first one is `minutes_old`, each other a second younger."""
    made = work.enqueue_many(line, [work.Draft({"number": number}, **fields) for number in range(count)])
    for number, item in enumerate(made):
        aged(item, timedelta(minutes=minutes_old) - timedelta(seconds=number))
    return made


def aged(item: WorkItem, age: timedelta) -> None:
    """As if it had come that long ago."""
    item.queued_at = clock.now() - age
    item.save(update_fields=["queued_at"])


def states(line: Queue) -> list[str]:
    """The status of each item, in the order in which they came."""
    return list(WorkItem.objects.filter(queue=line).order_by("id").values_list("status", flat=True))
