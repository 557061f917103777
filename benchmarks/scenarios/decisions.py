"""From an event's being stored to the decision of every rule that listens to it, with a thousand rules that are on."""

from typing import Any

from benchmarks.house import House, run_module
from benchmarks.results import Figure, Result, percentile
from benchmarks.run import Size
from tests.support.stack import until

ORDER = 80
RATE, CONNECTIONS, TARGET_SECONDS = 20, 4, 0.05
TYPES, EACH = 20, 50
TYPE, PREFIX = "bench.rule1", "dec-"
# Routed is written after every subscriber's transaction, so that it is later than the last verdict.
LAGS = "SELECT EXTRACT(EPOCH FROM routed_at - created_at) FROM kernel_event WHERE uid LIKE %s AND routed_at IS NOT NULL"
FIRED = """
SELECT EXTRACT(EPOCH FROM x.created_at - e.created_at) FROM automation_execution x JOIN kernel_event e ON e.id = x.event_id
WHERE e.uid LIKE %s
"""
JUDGED = """
SELECT COALESCE(SUM(v.count), 0) FROM automation_verdict v JOIN automation_rule r ON r.id = v.rule_id WHERE r.trigger_params::text LIKE %s
"""


def measure(house: House, size: Size) -> Result:
    """Single POSTs by schedule; each is judged by fifty rules, one of which fires."""
    made = run_module("benchmarks.deciding", b"", house.stack.environ, seconds=300, words=["rules", str(TYPES), str(EACH)])["rules"]
    # Rules are compiled and connections opened with the first event.
    house.publish("warm-dec-", TYPE, 5)
    house.until_quiet()
    before = house.number(JUDGED, f'%{TYPE}"%')
    load = house.load(house.wanted("event", PREFIX, type=TYPE), rate=RATE, seconds=max(2.0, size.seconds), connections=CONNECTIONS)
    house.until_quiet()
    taken = load["statuses"].get("202", 0)
    counted = run_module("benchmarks.deciding", b"", house.stack.environ, seconds=120, words=["statements", TYPE])
    lags, fired = _numbers(house, LAGS), _numbers(house, FIRED)
    judged = int(house.number(JUDGED, f'%{TYPE}"%') - before)
    open_ones = "SELECT COUNT(*) FROM automation_execution WHERE status IN ('pending', 'running')"
    until(lambda: not house.number(open_ones), seconds=120, what="the end of every execution")
    house.rows.execute("UPDATE automation_rule SET mode = 'off', changed_at = now()")
    problems = [] if len(fired) == taken else [f"{taken} events were stored, but {len(fired)} executions came of them."]
    # The event whose statements were counted was stored, so it is routed too.
    if judged not in (taken * EACH, (taken + 1) * EACH):
        problems.append(f"{taken} events for {EACH} rules each, but the verdicts count {judged}.")
    return Result(
        "decisions",
        f"{made} rules on, {EACH} of them listening to the event's type, one of those fires; POST /api/v1/events, {RATE}/s by schedule; "
        "from the event's being stored to its being judged, verdicts and execution written.",
        [
            Figure("event to decision with 1,000 rules, p95", percentile(lags, 0.95), "s", TARGET_SECONDS, is_less_better=True),
            Figure("  p50", percentile(lags, 0.5), "s"),
            Figure("  to the moment that the execution carries, p95", percentile(fired, 0.95), "s"),
            Figure("  SQL statements to judge an event by all who listen", counted["statements"], ""),
        ],
        problems,
        {"published": taken, "executions": len(fired), "judgements": judged},
        {"judging_seconds_alone": counted["seconds"]},
    )


def _numbers(house: House, statement: str) -> list[Any]:
    return [float(row[0]) for row in house.rows.execute(statement, (f"{PREFIX}%",)).fetchall()]  # type: ignore[call-overload]
