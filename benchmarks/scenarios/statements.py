"""SQL statements per event at fan-out 1, and per inbound request: every one that reaches the server, BEGIN and COMMIT included."""

import sys

import orjson

from benchmarks import ledger
from benchmarks.house import House, run_module
from benchmarks.results import Figure, Result
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 50
TARGET, EVENTS = 8, 100
TYPE, PREFIX = "bench.statements", "sta-"


def measure(house: House, size: Size) -> Result:
    """The house's own workers rest; one process publishes, routes and delivers, and counts what it says to the database."""
    house.make_type(TYPE)
    endpoint = house.make_endpoint("/statements", TYPE)
    house.deliver_with(0)
    house.stack.kill("worker")
    try:
        counted = run_module("benchmarks.counting", b"", house.stack.environ, seconds=60, words=[TYPE, PREFIX, str(EVENTS)])
    finally:
        house.stack.start("worker")
        house.deliver_with(1)
    until(lambda: house.stack.call("/health").status in (200, 503), what="/health answering")
    received = set(house.receiver.report()["first"].get("/statements", {}))
    house.remove(endpoint)
    found = ledger.of_events(house, PREFIX, taken=EVENTS, received=received)
    each = {name: amount / EVENTS for name, amount in counted["batch"].items()}
    return Result(
        "statements",
        f"{EVENTS} events published, routed and delivered in one process with the batch size 100; one by one: published one by one.",
        [
            Figure("SQL statements per event, fan-out 1, batch size 100", sum(each.values()), "", TARGET, is_less_better=True),
            Figure("  publishing one by one, per event", counted["single"], ""),
            Figure("  an inbound request", counted["inbound"], ""),
        ],
        found.problems,
        found.counts,
        {"per_event": each, "python": sys.version.split()[0], "inbound": orjson.dumps(counted["inbound_statements"]).decode()},
    )
