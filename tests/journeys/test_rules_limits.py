"""Thirty rules at once over three workers: never more than the limits, all finish; what runs wild is stopped and the others go on."""

import psutil
import pytest

from tests.journeys.test_actions import peak_of, written
from tests.support import stack
from tests.support.ruled import executions, make, output, until_ended
from tests.support.stack import until

LIMIT, RULES = 10, 30
SECONDS = {"small": 0.4, "full": 2.0}
# A process needs a moment to begin, so at small scale the first may be over before the last one of a full house has begun.
SLACK = {"small": 4, "full": 0}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Three processes that run actions; where there is but one process for everything, that."""
    own = {"STEWARD_APPS": "tests.support.acting", "SWEEP_SECONDS": "2", "ACTION_MEMORY_BYTES": str(256 * 1024 * 1024)}
    with stack.installation(tmp_path_factory.mktemp("house"), **own) as found:
        if "actions" in found.commands:
            found.commands = {**found.commands, "actions2": found.commands["actions"], "actions3": found.commands["actions"]}
            for name in ("actions2", "actions3"):
                found.start(name)
            held = "SELECT name FROM kernel_lease WHERE name LIKE 'worker:actions:%%'"
            until(lambda: len(found.rows(held)) == 3, seconds=60, what="three workers")
        yield found


def rule(name, component, action, params, **fields):
    return {
        "name": name,
        "trigger": "automation.event",
        "trigger_params": {"events": ["system.status"]},
        "condition": f"data.component == '{component}'",
        "actions": [{"action": action, "params": params}],
        **fields,
    }


def publish(house, *components):
    for component in components:
        data = {"status": "degraded", "component": component, "details": {}}
        assert house.call("/api/v1/events", {"type": "system.status", "data": data}).status == 202


def intervals(house, name):
    return house.rows("SELECT started_at, ended_at FROM automation_execution WHERE name LIKE %s AND status = 'completed'", f"{name}%")


@pytest.mark.parametrize(("executions_at_once", "actions_at_once"), [(LIMIT, LIMIT), (4, LIMIT), (LIMIT, 3)])
def test_thirty_rules_reach_the_limits_and_never_pass_them(house, tmp_path, scale, executions_at_once, actions_at_once):
    house.manage("options", "set", "AUTOMATION_MAX_CONCURRENT", str(executions_at_once))
    house.manage("options", "set", "ACTION_MAX_CONCURRENT", str(actions_at_once))
    name, file = f"sleeper-{executions_at_once}-{actions_at_once}", tmp_path / "log"
    params = {"seconds": SECONDS[scale], "file": str(file)}
    made = make(house, *(rule(f"{name}-{number}", name, "acting.sleep", params) for number in range(RULES)))
    publish(house, name)
    until(lambda: len(intervals(house, name)) == RULES, seconds=120, what="the end of all")
    assert all(len(executions(house, one)) == 1 for one in made)
    assert peak_of(intervals(house, name)) == executions_at_once
    own = [interval for runs in written(file).values() for interval in runs]
    assert len(own) == RULES
    least = min(executions_at_once, actions_at_once)
    assert least - SLACK[scale] <= peak_of(own) <= least


def test_what_runs_wild_is_stopped_and_its_process_is_gone_while_others_go_on(house, tmp_path):
    file = tmp_path / "pids"
    wild, hungry, good = make(
        house,
        rule("for ever", "wild", "acting.busy", {"file": str(file)}, timeout_seconds=3),
        rule("too much", "wild", "acting.hog", {}),
        rule("in order", "wild", "acting.echo", {"text": "well"}),
    )
    publish(house, "wild")
    [stopped] = until_ended(house, wild)
    assert (stopped["status"], stopped["error_code"]) == ("timeout", "timeout")
    until(lambda: not any(psutil.pid_exists(int(pid)) for pid in file.read_text().split()), seconds=10, what="its process being gone")
    [failed] = until_ended(house, hungry)
    assert (failed["status"], failed["error_code"]) == ("failed", "resource_limit"), failed
    [ended] = until_ended(house, good)
    assert output(house, ended)[1]["text"] == "well"
    until(lambda: not house.rows("SELECT 1 FROM acts_slot WHERE token <> ''"), seconds=30, what="every slot being given back")


def test_the_more_urgent_rule_goes_first_when_there_is_room_for_one(house):
    house.manage("options", "set", "AUTOMATION_MAX_CONCURRENT", "1")
    busy, *waiting = make(
        house,
        rule("busy", "first", "acting.sleep", {"seconds": 4}),
        *(rule(name, name, "acting.noop", {}, priority=priority) for name, priority in (("low", 0), ("high", 2), ("normal", 1))),
    )
    publish(house, "first")
    until(lambda: [one["status"] for one in executions(house, busy)] == ["running"], what="the first being at work")
    publish(house, "low", "high", "normal")
    until(lambda: all(executions(house, one) for one in waiting), what="the three being in line")
    assert [one["status"] for one in executions(house, busy)] == ["running"]
    for one in waiting:
        until_ended(house, one)
    order = house.rows("SELECT name FROM automation_execution WHERE name IN ('low', 'high', 'normal') ORDER BY started_at")
    assert [name for (name,) in order] == ["high", "normal", "low"]
    house.manage("options", "set", "AUTOMATION_MAX_CONCURRENT", str(LIMIT))
