"""Actions through the real executor, every one a row: how many a second, how long each takes; and an empty Celery task with a row each."""

import subprocess
import sys
from typing import Any

from benchmarks import ledger
from benchmarks.house import House, run_module
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size
from tests.support import environment
from tests.support.stack import until

ORDER = 75
TARGET, MEAN_SECONDS, P99_SECONDS = 1000, 0.1, 0.3
# Expected at most, to make enough rows for a second of work.
INLINE_PER_SECOND, CHILD_PER_SECOND, NAIVE_PER_SECOND = 2500, 100, 700
# Below saturation, where latency says something.
RATE = 200
WORKERS = 2
INLINE, CHILD = "acting.noop", "acting.echo"
WORDS = [
    "-m",
    "celery",
    "-A",
    "benchmarks.acting",
    "worker",
    "--pool=prefork",
    f"--concurrency={WORKERS}",
    "-Q",
    "naive",
    "--loglevel=ERROR",
]
LEFT = "SELECT COUNT(*) FROM acts_invocation WHERE caller = %s AND status <> 'completed'"
SPAN = "SELECT EXTRACT(EPOCH FROM MAX(ended_at) - MIN(created_at)) FROM acts_invocation WHERE caller = %s"
LATENCY = "SELECT EXTRACT(EPOCH FROM ended_at - created_at) FROM acts_invocation WHERE caller = %s ORDER BY id"
NAIVE_LEFT = "SELECT COUNT(*) FROM bench_naive WHERE status <> 'completed'"


def measure(house: House, size: Size) -> Result:
    """Backlogs for the ceilings, then single calls at a steady rate for the latency."""
    house.act_with(WORKERS)
    # Processes, connections and compiled forms are there when it counts.
    _drained(house, INLINE, "warm", 50)
    _drained(house, CHILD, "warm-child", 20)
    inline, notes = _drained(house, INLINE, "bench-inline", int(INLINE_PER_SECOND * size.seconds))
    child, child_notes = _drained(house, CHILD, "bench-child", int(CHILD_PER_SECOND * size.seconds))
    lags = _paced(house, size.seconds)
    house.act_with(1)
    naive, naive_notes = _naive(house, int(NAIVE_PER_SECOND * size.seconds))
    statement = "SELECT COUNT(*) FROM acts_invocation WHERE caller LIKE 'bench-%%' AND status = 'completed' AND attempts = 1"
    wanted, done = int((INLINE_PER_SECOND + CHILD_PER_SECOND) * size.seconds) + len(lags), int(house.number(statement))
    problems = [] if abs(wanted - done) <= 1 else [f"{wanted} calls, but {done} completed with one attempt."]
    held = int(house.number("SELECT COUNT(*) FROM acts_slot WHERE token <> ''"))
    problems += [f"{held} slots are still held."] if held else []
    return Result(
        "actions",
        f"calls that do nothing, {WORKERS} workers for actions, 50 at once; latency from the call to its recorded end, single calls at "
        f"{RATE}/s; naive: an empty Celery task per row, {WORKERS} prefork processes.",
        [
            Figure("actions per second, in the worker's own process", inline, "/s", TARGET),
            Figure("  each in a process of its own kind", child, "/s"),
            Figure("  an empty Celery task with a row each", naive, "/s"),
            Figure(f"latency of an action at {RATE}/s, mean", sum(lags) / max(len(lags), 1), "s", MEAN_SECONDS, is_less_better=True),
            Figure("  p99", percentile(lags, 0.99), "s", P99_SECONDS, is_less_better=True),
        ],
        problems,
        {"called": wanted, "completed": done, "slots held": held},
        {"ours": notes, "child": child_notes, "naive": naive_notes},
    )


def _drained(house: House, action: str, caller: str, count: int) -> tuple[float, dict[str, Any]]:
    run_module("benchmarks.acting", b"", house.stack.environ, seconds=300, words=["backlog", action, caller, str(count)])
    meter = house.meter()
    run_module("benchmarks.acting", b"", house.stack.environ, seconds=60, words=["go", caller])
    until(lambda: not house.number(LEFT, caller), seconds=180, what=f"{count} calls of {action}")
    notes = ledger.spent(house, meter, count)
    return count / max(house.number(SPAN, caller), 1e-9), notes


def _paced(house: House, seconds: float) -> list[float]:
    caller, words = "bench-pace", ["pace", INLINE, "bench-pace", str(RATE), str(seconds)]
    run_module("benchmarks.acting", b"", house.stack.environ, seconds=seconds + 120, words=words)
    until(lambda: not house.number(LEFT, caller), seconds=60, what="the last calls")
    return [float(row[0]) for row in house.rows.execute(LATENCY, (caller,)).fetchall()]


def _naive(house: House, count: int) -> tuple[float, dict[str, Any]]:
    run_module("benchmarks.acting", b"", house.stack.environ, seconds=300, words=["naive", str(count)])
    with (house.folder / "naive-actions.log").open("wb") as log:
        house.stack.running["naive"] = subprocess.Popen(
            [sys.executable, *WORDS], cwd=environment.ROOT, env=house.stack.environ, stdout=log, stderr=log, start_new_session=True
        )
    try:
        meter = house.meter()
        until(lambda: not house.number(NAIVE_LEFT), seconds=180, what="the tasks being done")
        notes = ledger.spent(house, meter, count)
    finally:
        house.stack.kill("naive")
    span = house.number("SELECT EXTRACT(EPOCH FROM MAX(ended_at) - MIN(ended_at)) FROM bench_naive")
    return count / max(span, 1e-9), notes
