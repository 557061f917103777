"""How late rules run that wake by the clock: twenty schedules every second, through the schedule's rows and the worker."""

import time

from benchmarks.house import House, run_module
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 90
COUNT, TARGET_SECONDS = 20, 1.0
# The key of a firing ends with the time that it is for, and nothing after it: `rul_…:2026-01-31T12:00:00.000Z:`.
SLOTS = """
SELECT r.uid, EXTRACT(EPOCH FROM x.created_at), EXTRACT(EPOCH FROM substring(x.key from '\\d{4}-.*Z')::timestamptz)
FROM automation_execution x JOIN automation_rule r ON r.id = x.rule_id WHERE r.name LIKE 'pace %%' ORDER BY 1, 3
"""


def measure(house: House, size: Size) -> Result:
    """Made, left alone for a while, switched off; each second of each must have come round exactly once."""
    run_module("benchmarks.deciding", b"", house.stack.environ, seconds=120, words=["schedules", str(COUNT)])
    fired = "SELECT COUNT(*) FROM automation_execution x JOIN automation_rule r ON r.id = x.rule_id WHERE r.name LIKE 'pace %%'"
    until(lambda: house.number(fired) >= COUNT, seconds=60, what="the first times")
    time.sleep(max(5.0, size.seconds))
    run_module("benchmarks.deciding", b"", house.stack.environ, seconds=60, words=["stop"])
    rows = house.rows.execute(SLOTS).fetchall()
    late = [float(at - slot) for _, at, slot in rows]
    slots: dict[str, list[float]] = {}
    for uid, _, slot in rows:
        slots.setdefault(uid, []).append(float(slot))
    missing = sum(round(found[-1] - found[0]) + 1 - len(found) for found in slots.values())
    problems = [] if len(slots) == COUNT else [f"{COUNT} schedules, but {len(slots)} ran."]
    if missing:
        problems.append(f"{missing} seconds are missing or came twice.")
    return Result(
        "schedules",
        f"{COUNT} rules that run every second, rows of django-celery-beat; from the time itself to the execution's being made.",
        [
            Figure("lateness of schedules, p99", percentile(late, 0.99), "s", TARGET_SECONDS, is_less_better=True),
            Figure("  p50", percentile(late, 0.5), "s"),
        ],
        problems,
        {"schedules": len(slots), "times": len(rows)},
    )
