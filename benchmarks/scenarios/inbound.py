"""Inbound requests: signed as GitHub signs, stored with their event, repeats recognised; the highest rate whose p99 stays in bounds."""

from typing import Any

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.loader import GRACE_SECONDS
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size

ORDER = 10
TARGET, P99_SECONDS = 1000, 0.1
CONNECTIONS = 32
# Every fiftieth request repeats the one before it.
REPEAT_EVERY = 50
# Shares of what the web processes manage at most, tried from above until one holds.
SHARES = (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.35)


def measure(house: House, size: Size) -> Result:
    """First as fast as answers come, to know where to begin; then by schedule, slower each time, until p99 is within bounds."""
    most = _load(house, "inb-most-", rate=0, seconds=max(1.0, size.seconds / 3))
    sums = [_ledger(house, "inb-most-", most)]
    ceiling = sum(most["statuses"].values()) / most["seconds"]
    rate, held, notes = 0.0, most, {}
    for number, share in enumerate(SHARES):
        house.until_quiet()
        prefix, rate = f"inb-{number}-", ceiling * share
        meter = house.meter()
        held = _load(house, prefix, rate=rate, seconds=size.seconds)
        notes = ledger.spent(house, meter, sum(held["statuses"].values()))
        sums.append(_ledger(house, prefix, held))
        if _p99(held) <= P99_SECONDS or not size.is_full:
            break
    whole = sums[0]
    for one in sums[1:]:
        whole = ledger.more(whole, one)
    done = sum(held["statuses"].values()) / max(held["seconds"], size.seconds)
    return Result(
        "inbound",
        f"{CONNECTIONS} connections, open loop for {size.seconds:g} s at the highest of {len(SHARES)} rates whose p99 holds; every "
        f"{REPEAT_EVERY}th a repeat; routing at work beside it. Ceiling: as fast as answers come.",
        [
            Figure("inbound accepted per second", done, "/s", TARGET),
            Figure("  p50 at that rate", 1000 * percentile(held["latencies"], 0.5), "ms"),
            Figure("  p99 at that rate", 1000 * _p99(held), "ms", 1000 * P99_SECONDS, is_less_better=True),
            Figure("  ceiling, closed loop", ceiling, "/s"),
        ],
        whole.problems,
        whole.counts,
        notes,
    )


def _load(house: House, prefix: str, *, rate: float, seconds: float) -> dict[str, Any]:
    wanted = house.wanted("github", prefix, repeat_every=REPEAT_EVERY)
    return house.load(wanted, rate=rate, seconds=seconds, connections=CONNECTIONS)


def _ledger(house: House, prefix: str, load: dict[str, Any]) -> ledger.Ledger:
    found = ledger.of_receipts(house, prefix, load["statuses"], unanswered=load["unanswered"])
    strange = {status: amount for status, amount in load["statuses"].items() if status not in ("200", "202")}
    return ledger.Ledger(found.counts, [*found.problems, *([f"Requests were answered {strange}."] if strange else [])])


def _p99(load: dict[str, Any]) -> float:
    """An answer that did not come counts as the time for which it was awaited."""
    return percentile([*load["latencies"], *[float(GRACE_SECONDS)] * load["unanswered"]], 0.99)
