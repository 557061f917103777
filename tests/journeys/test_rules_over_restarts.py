"""What rules remember survives everything being killed: how long a condition has held, and when it fired, exact to one sample."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.support import ruled, stack
from tests.support.ruled import executions, make, slot, verdicts
from tests.support.stack import is_healthy, until

INTERVAL, HELD, COOLDOWN = 1, 8, 12
# Memory is always in use, so only samples that are missing can make a difference.
RULE = {
    "name": "Held",
    "trigger": "automation.threshold",
    "trigger_params": {},
    "condition": f"memory_usage > 0 AND duration > {HELD}s",
    "cooldown_seconds": COOLDOWN,
    # Its first execution may be open still while everything starts again.
    "concurrency": "parallel",
    "max_parallel": 9,
    "actions": [{"action": "acting.noop", "params": {}}],
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    own = {"STEWARD_APPS": "tests.support.acting", "AUTOMATION_CHECK_INTERVAL": str(INTERVAL), "SWEEP_SECONDS": "2"}
    with stack.installation(tmp_path_factory.mktemp("house"), **own) as found:
        yield found


def kill_everything(house):
    """`kill -9` of every process, and all of them started again, when what was missed meanwhile is a gap."""
    for name in list(house.running):
        house.kill(name)
    last = max(at for at, _ in ruled.samples(house))
    until(lambda: datetime.now(UTC) > last + timedelta(seconds=2.5 * INTERVAL), what="a gap between samples")
    for name in house.commands:
        house.start(name)
    until(lambda: is_healthy(house), seconds=90, what="/health answering healthy")


def expected(moments):
    """Where it must fire, from the samples' own times: what is held grows by what lies between two neighbours, unless that is a gap."""
    held, fired = 0.0, []
    for before, at in zip([None, *moments], moments, strict=False):
        apart = (at - before).total_seconds() if before else 0.0
        held += apart if apart <= 2.5 * INTERVAL else 0.0
        if held >= HELD and (not fired or at >= fired[-1] + timedelta(seconds=COOLDOWN)):
            fired.append(at)
    return fired


def test_held_time_and_cooldown_go_on_where_they_were_when_everything_is_killed_twice(house):
    [rule] = make(house, RULE)
    until(lambda: any("It has held for 3 s" in text for _, _, text in verdicts(house, rule)), what="its holding for three seconds")
    kill_everything(house)
    until(lambda: executions(house, rule), seconds=60, what="its firing")
    kill_everything(house)
    until(lambda: len(executions(house, rule)) >= 2, seconds=60, what="its firing again after the cooldown")
    [[judged]] = house.rows("SELECT at FROM automation_cursor WHERE name = 'samples'")
    [[begun]] = house.rows(
        "SELECT MIN(first_at) FROM automation_verdict v JOIN automation_rule r ON r.id = v.rule_id WHERE r.uid = %s", rule
    )
    moments = [at for at, _ in ruled.samples(house) if ruled.moment(begun) <= at <= ruled.moment(judged)]
    gaps = [later - earlier for earlier, later in pairwise(moments) if (later - earlier).total_seconds() > 2.5 * INTERVAL]
    assert gaps, "being killed left a gap, which must not have counted"
    fired = [slot(one) for one in executions(house, rule)]
    assert fired == [at for at in expected(moments) if at <= fired[-1]]
    assert len(set(fired)) == len(fired) >= 2
    [[counted]] = house.rows(
        "SELECT SUM(v.count) FROM automation_verdict v JOIN automation_rule r ON r.id = v.rule_id WHERE r.uid = %s", rule
    )
    assert counted >= len(moments), "every sample was judged"
