"""The batch route: many events in one call, stored and routed."""

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.results import Figure, Result
from benchmarks.run import Size

ORDER = 20
TARGET = 5000
EVENTS, CONNECTIONS = 1000, 3
TYPE, PREFIX = "bench.batch", "bat-"


def measure(house: House, size: Size) -> Result:
    """As fast as answers come."""
    house.make_type(TYPE)
    meter = house.meter()
    load = house.load(house.wanted("batch", PREFIX, type=TYPE, batch=EVENTS), rate=0, seconds=size.seconds, connections=CONNECTIONS)
    created = load["created"]
    notes = ledger.spent(house, meter, created)
    house.until_quiet(seconds=120)
    found = ledger.of_events(house, PREFIX, taken=created, unanswered=load["unanswered"] * EVENTS, fan_out=0)
    return Result(
        "batch",
        f"POST /api/v1/events/batch, {EVENTS} events a call over {CONNECTIONS} connections for {size.seconds:g} s; routing at work.",
        [Figure("events accepted per second by the batch route", created / load["seconds"], "/s", TARGET)],
        found.problems,
        found.counts,
        notes,
    )
