"""`kill -9` of the workers under a steady load, restarted at once: how long until everything is normal again."""

import threading
import time
from typing import Any

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.results import Figure, Result
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 60
RATE, TARGET_SECONDS = 50, 30
TYPE, PREFIX = "bench.recovery", "rec-"
# Normal: nothing that was there a second ago still waits.
LATE = """
SELECT COUNT(*) FROM kernel_event e LEFT JOIN webhooks_delivery d ON d.event_id = e.id
WHERE e.uid LIKE %s AND e.created_at < now() - interval '1 second' AND (d.id IS NULL OR d.status <> 'delivered')
"""


def measure(house: House, size: Size) -> Result:
    """The load goes on while worker, deliveries worker and schedule are killed; time counts from their restart."""
    house.make_type(TYPE)
    endpoint = house.make_endpoint("/recovery", TYPE)
    found: dict[str, Any] = {}
    seconds = max(3.0, size.seconds)

    def send() -> None:
        found.update(house.load(house.wanted("event", PREFIX, type=TYPE), rate=RATE, seconds=seconds, connections=8))

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: house.number("SELECT COUNT(*) FROM kernel_event WHERE uid LIKE %s", f"{PREFIX}%") > RATE, what="the load")
    killed = [name for name in house.stack.running if name != "web"]
    for name in killed:
        house.stack.kill(name)
    restarted = time.monotonic()
    for name in killed:
        house.stack.start(name)
    time.sleep(1.5)
    until(lambda: not house.number(LATE, f"{PREFIX}%"), seconds=90, what="normality")
    took = time.monotonic() - restarted
    sender.join()
    until(lambda: not house.number(LATE, f"{PREFIX}%"), seconds=60, what="the rest")
    time.sleep(1.2)
    until(lambda: not house.number(LATE, f"{PREFIX}%"), seconds=60, what="the rest")
    report = house.receiver.report()
    house.remove(endpoint)
    taken = found["statuses"].get("202", 0)
    received = set(report["first"].get("/recovery", {}))
    sums = ledger.of_events(house, PREFIX, taken=taken, unanswered=found["unanswered"], received=received)
    return Result(
        "recovery",
        f"{RATE} events/s; worker, deliveries worker and schedule killed with -9 and started again at once; start-up included.",
        [Figure("recovery after kill -9", took, "s", TARGET_SECONDS, is_less_better=True)],
        sums.problems,
        {**sums.counts, "received twice": report["repeats"]},
    )
