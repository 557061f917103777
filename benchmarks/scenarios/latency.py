"""From publishing an event to its arrival at the receiver, at a steady rate."""

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 40
RATE, TARGET_SECONDS, CONNECTIONS = 200, 0.125, 16
TYPE, PREFIX = "bench.latency", "lat-"
OPEN = "SELECT COUNT(*) FROM webhooks_delivery d JOIN kernel_event e ON e.id = d.event_id WHERE e.uid LIKE %s AND d.status <> 'delivered'"


def measure(house: House, size: Size) -> Result:
    """Single POSTs by schedule; latency from the scheduled time to the first byte at the receiver."""
    house.make_type(TYPE)
    endpoint = house.make_endpoint("/latency", TYPE)
    wanted = house.wanted("event", PREFIX, type=TYPE)
    # Caches, connections and the nudge's first way are not what is measured.
    house.publish("warm-", TYPE, 5)
    until(lambda: house.number("SELECT COUNT(*) FROM webhooks_delivery WHERE status = 'delivered'") >= 5, what="the first deliveries")
    house.receiver.report()
    meter = house.meter()
    load = house.load(wanted, rate=RATE, seconds=size.seconds, connections=CONNECTIONS)
    taken = load["statuses"].get("202", 0)
    until(lambda: house.number("SELECT COUNT(*) FROM kernel_event WHERE uid LIKE %s", f"{PREFIX}%") >= taken, what="storing")
    house.until_quiet()
    until(lambda: not house.number(OPEN, f"{PREFIX}%"), what="the deliveries")
    notes = ledger.spent(house, meter, taken)
    came = house.receiver.report()["first"].get("/latency", {})
    house.remove(endpoint)
    lags = [at - (load["begin"] + int(name.removeprefix(PREFIX)) / RATE) for name, at in came.items() if name.startswith(PREFIX)]
    found = ledger.of_events(
        house, PREFIX, taken=taken, unanswered=load["unanswered"], received={name for name in came if name.startswith(PREFIX)}
    )
    return Result(
        "latency",
        f"POST /api/v1/events, {RATE}/s by schedule for {size.seconds:g} s, one endpoint; from the scheduled time to the receiver.",
        [
            Figure(f"event to receiver at {RATE}/s, p95", percentile(lags, 0.95), "s", TARGET_SECONDS, is_less_better=True),
            Figure("  p50", percentile(lags, 0.5), "s"),
            Figure("  p99", percentile(lags, 0.99), "s"),
        ],
        found.problems,
        found.counts,
        notes,
    )
