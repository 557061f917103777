"""One endpoint that hangs for 30 s among healthy ones: what it does to their p99."""

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 70
# Of events each at fan-out HEALTHY, and one more for the endpoint that hangs.
RATE, TARGET_PERCENT = 4, 10
OPEN = """
SELECT COUNT(*) FROM webhooks_delivery d JOIN kernel_event e ON e.id = d.event_id JOIN webhooks_endpoint p ON p.id = d.endpoint_id
WHERE e.uid LIKE %s AND d.status <> 'delivered' AND p.url NOT LIKE '%%/hang'
"""


def measure(house: House, size: Size) -> Result:
    """The same load twice: all healthy, then with the one that hangs. Latency from the scheduled time, over all healthy endpoints."""
    healthy = 99 if size.is_full else 19
    type = "bench.neighbours"
    house.make_type(type)
    endpoints = [house.make_endpoint(f"/n{number}", type) for number in range(healthy)]
    _lags(house, "ngh-w-", type, seconds=2)
    before, first = _lags(house, "ngh-b-", type, seconds=size.seconds)
    endpoints.append(house.make_endpoint("/hang", type))
    after, second = _lags(house, "ngh-a-", type, seconds=size.seconds)
    # Before the endpoints go: removing one cancels what is still on its way to it.
    sums = ledger.more(
        ledger.of_events(house, "ngh-b-", taken=first, fan_out=healthy),
        ledger.of_events(house, "ngh-a-", taken=second, fan_out=healthy + 1),
    )
    for endpoint in endpoints:
        house.remove(endpoint)
    low, high = percentile(before, 0.99), percentile(after, 0.99)
    return Result(
        "neighbours",
        f"{RATE} events/s to {healthy} healthy endpoints ({RATE * healthy} deliveries/s) for {size.seconds:g} s, then with one more that "
        "answers after 30 s; from the scheduled time to the receiver, over the healthy ones.",
        [
            Figure("p99 of healthy endpoints beside one that hangs", 100 * (high / low - 1), "% more", TARGET_PERCENT, is_less_better=True),
            Figure("  p99 without it", 1000 * low, "ms"),
            Figure("  p99 with it", 1000 * high, "ms"),
        ],
        sums.problems,
        sums.counts,
    )


def _lags(house: House, prefix: str, type: str, *, seconds: float) -> tuple[list[float], int]:
    """Latencies at the healthy endpoints, and how many events were taken."""
    load = house.load(house.wanted("event", prefix, type=type), rate=RATE, seconds=seconds, connections=4)
    house.until_quiet()
    until(lambda: not house.number(OPEN, f"{prefix}%"), what="the healthy deliveries")
    came = house.receiver.report()["first"]
    mine = [item for path, found in came.items() if path.startswith("/n") for item in found.items() if item[0].startswith(prefix)]
    return [at - (load["begin"] + int(name.removeprefix(prefix)) / RATE) for name, at in mine], load["statuses"].get("202", 0)
