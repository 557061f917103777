"""The example rules of the requirements, posted as printed, woken by what they wait for."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from automation.models import Execution, Verdict
from config.kernel.flow import clock, events, jobs
from config.kernel.models import EventType
from tests.automation.rules.test_compat import ALERT, EXAMPLES, RULES
from tests.support.api import Caller
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db
EXAMPLE = {one["name"]: one for one in EXAMPLES}


def post(name: str) -> str:
    """One example, as printed; its id."""
    answer = Caller().post(RULES, EXAMPLE[name])
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def measure(rows: list[dict[str, float]], *, seconds: int = 30) -> list[int]:
    """Sample after sample; how many executions waited to be run after each."""
    start, found = clock.now(), list[int]()
    sample(start - timedelta(seconds=seconds), disk_usage=1)
    jobs.work("automation.samples")
    for number, values in enumerate(rows):
        with time_machine.travel(start + timedelta(seconds=seconds * number), tick=False):
            sample(clock.now(), **values)
            jobs.work("automation.samples")
            found.append(Execution.objects.filter(rule__isnull=False, status="pending").count())
    return found


def test_the_sixth_active_user_fires_it_once():
    post("Auto Scaling")
    assert measure([{"active_users": count} for count in (5, 6, 7)]) == [0, 1, 1]
    execution = Execution.objects.get()
    assert (execution.source, execution.actions[0]["params"]["scale_factor"]) == ("user_activity", 1.5)


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        ({"cpu_usage": 80, "memory_usage": 85, "response_time": 5.0}, 0),
        ({"cpu_usage": 81, "memory_usage": 1, "response_time": 0.1}, 1),
        ({"cpu_usage": 1, "memory_usage": 1, "response_time": 5.1}, 1),
    ],
)
def test_any_limit_that_is_passed_fires_the_monitor(values, fires):
    post("Performance Monitor")
    assert measure([values])[-1] == fires


def test_the_queue_monitor_takes_five_when_the_queue_is_long_and_old():
    post("Queue Monitor")
    rows = [(10, 660), (11, 540), (11, 600)]
    assert measure([{"queues__default__depth": depth, "queues__default__oldest_age": age} for depth, age in rows]) == [0, 0, 1]
    assert Execution.objects.get(status="pending").actions[0]["params"]["batch_size"] == 5


def test_an_error_has_the_three_recovery_actions_asked_for_in_order():
    post("Error Recovery")
    event = events.publish("error.occurred", data=EventType.objects.get(name="error.occurred").example)
    jobs.work("kernel.route")
    execution = Execution.objects.get()
    wanted = ["restart_services", "clear_error_queues", "reset_connections"]
    assert (execution.event, execution.actions[0]["params"]["recovery_actions"]) == (event, wanted)


def test_the_alert_rule_fires_after_five_minutes_and_says_why():
    assert Caller().post("/api/v1/alerts/rules", ALERT).status_code == 201
    found = measure([{"cpu_usage": 81.0}] * 12)
    assert (found[9], found[-1]) == (0, 1)
    verdict = Verdict.objects.get(result="fired")
    assert "cpu_usage = 81 %, needs > 80 → true" in verdict.text


def test_an_event_wakes_the_rules_that_match_it_and_no_others():
    for name, status in (("One", "x"), ("Two", "x"), ("Three", "y")):
        make_rule(name, condition=f"data.status == '{status}'")
    data: dict[str, Any] = {"status": "x", "component": "database", "details": {}}
    events.publish("system.status", data=data)
    jobs.work("kernel.route")
    assert sorted(Execution.objects.values_list("rule__name", flat=True)) == ["One", "Two"]


def test_an_owner_who_lost_the_right_is_refused_at_run_time():
    owner = Caller()
    rule = make_rule("Grave", owner=owner.user, actions=[{"action": "acting.critical"}])
    owner.user.groups.clear()
    events.publish("system.status", data={"status": "x", "component": "database", "details": {}})
    jobs.work("kernel.route")
    execution = Execution.objects.get(rule=rule)
    assert (execution.status, execution.reason) == ("skipped", "owner")
    assert "actions:execute_critical" in Verdict.objects.get(result="refused").text
