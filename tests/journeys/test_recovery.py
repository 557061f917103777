"""Recovery on an installation of real processes: the demo service under supervisord, a queue with failed items, connections."""

import json

import pytest

from tests.support import supervised
from tests.support.stack import until

ITEMS = """
from automation.models import Queue, WorkItem
queue = Queue.objects.create(slug="jobs", is_automatic=False)
for status in ("failed", "waiting", "failed", "waiting", "failed"):
    WorkItem.objects.create(queue=queue, status=status, payload={})
"""
CALL = """
from config.acts.running import invocations
given = {"recovery_actions": ["restart_services", "clear_error_queues", "reset_connections"]}
print(invocations.call("automation.optimize_performance", given, owner="system", caller="command").uid)
"""


@pytest.fixture(scope="module")
def demo():
    with supervised.demo() as found:
        yield found


@pytest.fixture(scope="module")
def house(demo, tmp_path_factory):
    with supervised.watched(demo, tmp_path_factory.mktemp("house"), RECOVERY_SERVICES="demo") as found:
        found.manage("shell", "-v", "0", "-c", ITEMS)
        yield found


def test_the_three_recovery_actions_do_what_they_say_in_order(house, demo):
    before = [demo.get(number=number)[1]["pid"] for number in range(3)]
    uid = house.manage("shell", "-v", "0", "-c", CALL).strip().splitlines()[-1]
    status, output, error = until(lambda: ended(house, uid), seconds=150, what="the end of recovery")
    assert (status, error) == ("completed", "")
    names = ["restart_services", "clear_error_queues", "reset_connections"]
    assert [(one["name"], one["status"]) for one in output["results"]] == [(name, "completed") for name in names]
    order = house.rows("SELECT action FROM acts_invocation WHERE caller = %s ORDER BY started_at", f"invocation:{uid}")
    assert [action for (action,) in order] == [f"automation.{name}" for name in names]

    after = [demo.get(number=number) for number in range(3)]
    assert [code for code, _ in after] == [200, 200, 200], "health is back"
    assert not {answer["pid"] for _, answer in after} & set(before)

    items = dict(house.rows("SELECT status, count(*) FROM automation_workitem GROUP BY status"))
    assert items == {"archived": 3, "waiting": 2}

    [[at]] = house.rows("SELECT value FROM kernel_option WHERE name = 'CONNECTIONS_RESET_AT'")
    assert output["results"][2]["output"]["asked_at"] in json.dumps(at)


def ended(house, uid):
    """Status, output and error, once it has ended."""
    [[status, output, error]] = house.rows("SELECT status, output, error_message FROM acts_invocation WHERE uid = %s", uid)
    if status in ("pending", "running", "waiting"):
        return None
    return status, json.loads(output) if isinstance(output, str) else output, error
