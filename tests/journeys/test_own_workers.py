"""Our own workers tuned and scaled by actions, on real processes: seen by Celery, by PostgreSQL and by the rows of the calls."""

import json

import pytest

from tests.support import environment, stack
from tests.support.stack import until

CALL = """
import json
from config.acts.running import invocations
row = invocations.call({action!r}, json.loads({params!r}), owner="system", caller="command")
print(row.uid)
"""
UNDO = """
from config.acts.running import invocations
print(invocations.undo(invocations.find({uid!r}), owner="system", caller="command").uid)
"""
POOL = """
import json
from celery import current_app
found = current_app.control.inspect(timeout=3).stats() or {}
print(json.dumps([len(one["pool"]["processes"]) for name, one in found.items() if name.startswith("default-")]))
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Where there are workers of their own: with a pool of four."""
    with stack.installation(tmp_path_factory.mktemp("house")) as found:
        if "worker" in found.commands:
            found.commands = {**found.commands, "worker": ["worker", "--concurrency", "4"]}
            found.restart("worker")
            until(lambda: pool(found) == [4], seconds=60, what="the pool of four")
        yield found


def test_the_pool_grows_from_four_to_six_and_back(house):
    row = ended(house, "automation.scale_resources", {"scale_factor": 1.5, "target_metrics": ["cpu_usage"]})
    if environment.name() == "sqlite":
        assert (row["status"], row["error_code"]) == ("failed", "not_configured"), row
        return
    assert row["status"] == "completed", row
    assert pool(house) == [6]
    [[detail]] = house.rows("SELECT detail FROM kernel_auditrecord WHERE action = 'workers.scaled'")
    assert (detail["before"], detail["after"]) == (4, 6)
    undone = wait_for(house, house.manage("shell", "-v", "0", "-c", UNDO.format(uid=row["uid"])).strip().splitlines()[-1])
    assert undone["status"] == "completed", undone
    assert pool(house) == [4]


def test_the_database_is_analysed(house):
    before = analysed(house)
    row = ended(house, "automation.optimize_performance", {"optimization_targets": ["database"]})
    assert row["status"] == "completed", row
    assert analysed(house) != before
    assert json.loads(row["output"])["results"][0]["output"]["did"] == "ANALYZE"


def analysed(house):
    if environment.name() == "sqlite":
        return house.rows("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
    return house.rows("SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 'kernel_event'")


def pool(house):
    """The size of each pool of the queue default, as `celery inspect stats` says."""
    return json.loads(house.manage("shell", "-v", "0", "-c", POOL).strip().splitlines()[-1])


def ended(house, action, params):
    code = CALL.format(action=action, params=json.dumps(params))
    return wait_for(house, house.manage("shell", "-v", "0", "-c", code).strip().splitlines()[-1])


def wait_for(house, uid):
    names = "uid, status, error_code, error_message, output"

    def look():
        [values] = house.rows(f"SELECT {names} FROM acts_invocation WHERE uid = %s", uid)
        row = dict(zip(names.split(", "), values, strict=True))
        row["output"] = row["output"] if isinstance(row["output"], str) else json.dumps(row["output"])
        return row if row["status"] not in ("pending", "running", "waiting") else None

    return until(look, seconds=90, what=f"the end of {uid}")
