"""Every name that conditions may use, with kind, unit and meaning. Called when rules are saved, judged, and by pages that list names."""

from collections.abc import Iterator, Mapping

from config.kernel import series
from config.kernel.language.facts import Fact

# What event rules see of the event itself; its data are `data.…`, of whatever kind they are.
EVENT_FACTS = (
    Fact("event.id", "text", "", "The event's id."),
    Fact("event.type", "text", "", "The event's type, such as error.occurred."),
    Fact("event.source", "text", "", "Who said so: system, program:<user> or inbound:<source>."),
    Fact("event.subject", "text", "", "What it happened to, as kind:id."),
    Fact("event.hops", "number", "", "How many events stand before it in the chain of causes."),
)
# Below these, names are whatever the event brings.
OPEN_PATHS = ("data",)
CLOCK_FACTS = (
    Fact("scheduled_at", "text", "", "For schedules: the time it was to run at."),
    Fact("absent_since", "text", "", "For absences: when such an event was seen last."),
    Fact("absent_seconds", "number", "s", "For absences: how long none came."),
    Fact("sequence", "list", "", "For sequences: the ids of the events."),
)


class Names(Mapping[str, Fact]):
    """Name → fact: what is measured (members of a family such as `queues.<name>.depth` too), and what triggers add."""

    def __init__(self) -> None:
        self._found = {fact.name: fact for fact in (*series.facts(), *EVENT_FACTS, *CLOCK_FACTS)}

    def __getitem__(self, name: str) -> Fact:
        found = self._found.get(name) or series.fact(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def known() -> Names:
    """Every name as of now."""
    return Names()
