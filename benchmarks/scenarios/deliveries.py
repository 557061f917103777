"""Deliveries from claim to recorded, a backlog drained by our workers; and the same work as a Celery task per delivery."""

import subprocess
import sys
from typing import Any

from benchmarks import ledger
from benchmarks.house import House
from benchmarks.results import Figure, Result
from benchmarks.run import Size
from tests.support import environment
from tests.support.stack import until

ORDER = 30
TARGET = 1500
ENDPOINTS = 20
# Expected at most, to make enough rows for a second of work.
OURS_PER_SECOND, NAIVE_PER_SECOND = 2000, 400
PROCESSES = 2
WORKER = [
    "-m",
    "celery",
    "-A",
    "benchmarks.naive",
    "worker",
    "--pool=prefork",
    f"--concurrency={PROCESSES}",
    "-Q",
    "naive",
    "--loglevel=ERROR",
]
LEFT = """
SELECT COUNT(*) FROM webhooks_delivery d JOIN kernel_event e ON e.id = d.event_id WHERE e.uid LIKE %s AND d.status <> 'delivered'
"""
SPAN = """
SELECT EXTRACT(EPOCH FROM MAX(d.finished_at) - MIN(a.started_at)) FROM webhooks_attempt a
JOIN webhooks_delivery d ON d.id = a.delivery_id JOIN kernel_event e ON e.id = d.event_id WHERE e.uid LIKE %s
"""


def measure(house: House, size: Size) -> Result:
    """Fill while the endpoints are paused, then let go; rates come from the rows: first request begun to last one recorded."""
    house.deliver_with(PROCESSES)
    ours, notes, first = _ours(house, int(OURS_PER_SECOND * size.seconds))
    naive, naive_notes, second = _naive(house, int(NAIVE_PER_SECOND * size.seconds))
    house.deliver_with(1)
    found = ledger.more(first, second)
    return Result(
        "deliveries",
        f"a backlog for {ENDPOINTS} endpoints, {PROCESSES} deliveries workers; naive: one Celery task per delivery on the same Redis, "
        f"{PROCESSES} prefork processes, http.client, a row update and an attempt each.",
        [
            Figure("deliveries per second, claim to recorded", ours, "/s", TARGET),
            Figure("  a Celery task per delivery", naive, "/s"),
            Figure("  ratio", ours / naive if naive else 0.0, "times"),
        ],
        found.problems,
        found.counts,
        {"ours": notes, "naive": naive_notes},
    )


def _ours(house: House, wanted: int) -> tuple[float, dict[str, Any], ledger.Ledger]:
    endpoints, count = _fill(house, "dlv-", "bench.deliveries", wanted)
    meter = house.meter()
    for endpoint in endpoints:
        house.resume(endpoint)
    until(lambda: not house.number(LEFT, "dlv-%"), seconds=180, what="the backlog being delivered")
    notes = ledger.spent(house, meter, count)
    return _rate(house, "dlv-", count), notes, _ledger(house, "dlv-", count, endpoints)


def _naive(house: House, wanted: int) -> tuple[float, dict[str, Any], ledger.Ledger]:
    """The endpoints stay paused, so that ours leaves these alone."""
    endpoints, count = _fill(house, "nai-", "bench.naive", wanted)
    environ = house.stack.environ
    subprocess.run([sys.executable, "-m", "benchmarks.naive", "nai-"], cwd=environment.ROOT, env=environ, check=True, timeout=120)
    house.stack.commands["naive"] = []
    with (house.folder / "naive.log").open("wb") as log:
        house.stack.running["naive"] = subprocess.Popen(
            [sys.executable, *WORKER], cwd=environment.ROOT, env=environ, stdout=log, stderr=log, start_new_session=True
        )
    try:
        meter = house.meter()
        until(lambda: not house.number(LEFT, "nai-%"), seconds=180, what="the tasks being done")
        notes = ledger.spent(house, meter, count)
    finally:
        house.stack.kill("naive")
    return _rate(house, "nai-", count), notes, _ledger(house, "nai-", count, endpoints)


def _fill(house: House, prefix: str, type: str, count: int) -> tuple[list[str], int]:
    """Paused endpoints of one type each, and events spread over them; how many were published."""
    endpoints, published = [], 0
    for number in range(ENDPOINTS):
        house.make_type(f"{type}.{number}")
        endpoint = house.make_endpoint(f"/{prefix}{number}", f"{type}.{number}")
        house.pause(endpoint)
        endpoints.append(endpoint)
        published += house.publish(f"{prefix}{number}-", f"{type}.{number}", max(1, count // ENDPOINTS))
    house.until_quiet(seconds=180)
    return endpoints, published


def _rate(house: House, prefix: str, count: int) -> float:
    return count / max(house.number(SPAN, f"{prefix}%"), 1e-9)


def _ledger(house: House, prefix: str, count: int, endpoints: list[str]) -> ledger.Ledger:
    received = {name for mine in house.receiver.report()["first"].values() for name in mine}
    for endpoint in endpoints:
        house.remove(endpoint)
    return ledger.of_events(house, prefix, taken=count, received=received)
