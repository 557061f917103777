"""Rules and history in large numbers, and what judging them costs: `python -m benchmarks.deciding DEED …`, started by scenarios.

rules TYPES EACH    EACH rules that are on for each of TYPES event types, one of which fires for the events that scenarios publish
schedules COUNT     COUNT rules that run every second
stop                every rule off, as a person would
statements TYPE     what is said to PostgreSQL to judge one event, which is not kept
history COUNT       COUNT stored events within one day
backtest            a back-test over that day: events a second, and the peak of memory
"""

import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")

import django
import orjson

django.setup()

from django.db import connection, transaction  # noqa: E402

from automation.models import Rule  # noqa: E402
from automation.services import rules  # noqa: E402
from automation.services.judging import judgement, trials  # noqa: E402
from benchmarks import payloads  # noqa: E402
from benchmarks.counting import listening  # noqa: E402
from config.kernel.flow import clock, events  # noqa: E402
from config.kernel.models import Event, EventType  # noqa: E402
from config.kernel.models.base import new_uids  # noqa: E402

NOTHING = [{"action": "acting.noop", "params": {}}]
PLENTY = {"concurrency": "parallel", "max_parallel": 100_000}
BEGIN = datetime(2026, 1, 31, tzinfo=UTC)
HISTORY = "bench.history"
FILL = """
INSERT INTO kernel_event (uid, type, body, size, source, subject, correlation_id, cause_uid, hops, requested_task, occurred_at, created_at,
                          routed_at, route_note)
SELECT 'his-' || n, %(type)s, body, length(body), 'program:bench', '', '', '', 0, NULL, at, at, at, ''
FROM (SELECT n, %(begin)s::timestamptz + n * %(step)s::interval AS at, convert_to(format(
  '{"event":"%%s","eventType":"%%s","eventId":"his-%%s","timestamp":"x","data":{"machine":"web-%%s","load":%%s,"status":"%%s"}}',
  %(type)s::text, %(type)s::text, n, n %% 7, n %% 100, CASE WHEN n %% 50 = 0 THEN 'degraded' ELSE 'healthy' END), 'UTF8') AS body
  FROM generate_series(0, %(count)s - 1) AS n) AS made
"""


def make_rules(types: str, each: str) -> dict[str, Any]:
    """One rule of a type by the service, the others as copies of it with limits of their own."""
    made = 0
    for number in range(int(types)):
        EventType.objects.get_or_create(name=f"bench.rule{number}")
        given = {"trigger": "automation.event", "trigger_params": {"events": [f"bench.rule{number}"]}, "actions": NOTHING, **PLENTY}
        first = rules.create(owner=None, name=f"bench {number}", mode="on", condition="data.name != ''", **given)
        copies = [_copy(first, uid, at) for at, uid in enumerate(new_uids("rul_", int(each) - 1), start=1)]
        Rule.objects.bulk_create(copies)
        made += 1 + len(copies)
    return {"rules": made}


def _copy(first: Rule, uid: str, number: int) -> Rule:
    copy = Rule.objects.get(pk=first.pk)
    copy.pk, copy.uid, copy.name = None, uid, f"{first.name}.{number}"
    copy.condition, copy.changed_at = f"data.name == 'somebody {number}' AND data.text == 'something {number}'", clock.now()
    copy._state.adding = True
    return copy


def make_schedules(count: str) -> dict[str, Any]:
    """By the service, each with a row of its own in the schedule."""
    given = {"trigger": "automation.schedule", "trigger_params": {"every_seconds": 1}, "actions": NOTHING, **PLENTY}
    return {"rules": [rules.create(owner=None, name=f"pace {number}", mode="on", **given).uid for number in range(int(count))]}


def stop() -> dict[str, Any]:
    """With their rows in the schedule."""
    found = [rules.set_mode(rule, "off") for rule in Rule.living.exclude(mode="off")]
    return {"rules": len(found)}


def count_statements(type: str) -> dict[str, Any]:
    """The second event of two, so that what is remembered anyway is."""
    seconds = 0.0
    event = events.publish(type, data=payloads.data("statements"))
    for _ in range(2):
        with transaction.atomic(), listening() as said:
            begun = time.perf_counter()
            judgement.hear([event])
            seconds = time.perf_counter() - begun
            transaction.set_rollback(True)
    return {"statements": len(said.statements), "seconds": seconds}


def fill(count: str) -> dict[str, Any]:
    """By the database itself."""
    with connection.cursor() as cursor:
        cursor.execute(FILL, {"type": HISTORY, "begin": BEGIN, "step": f"{86400 / int(count)} seconds", "count": int(count)})
        cursor.execute("ANALYZE kernel_event")
    return {"events": Event.objects.filter(type=HISTORY).count()}


def back_test() -> dict[str, Any]:
    """A draft that is not stored: a condition with two parts, a cooldown, each machine by itself."""
    rule = rules.dry(
        owner=None,
        name="draft",
        trigger="automation.event",
        trigger_params={"events": [HISTORY]},
        condition="data.status == 'degraded' AND data.load >= 0",
        subject_path="data.machine",
        cooldown_seconds=600,
        actions=NOTHING,
    )
    before, begun = _peak(), time.perf_counter()
    found = trials.back_test(rule, since=BEGIN, until=BEGIN + timedelta(days=1))
    seconds = time.perf_counter() - begun
    held = dict(found.held)
    return {
        "judged": found.judged,
        "fired": found.fired,
        "held": held,
        "seconds": seconds,
        "peak_bytes": _peak(),
        "grown_bytes": _peak() - before,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


DEEDS: dict[str, Callable[..., dict[str, Any]]] = {
    "rules": make_rules,
    "schedules": make_schedules,
    "stop": stop,
    "statements": count_statements,
    "history": fill,
    "backtest": back_test,
}

if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(DEEDS[sys.argv[1]](*sys.argv[2:])))
