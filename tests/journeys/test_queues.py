"""Queues in a whole installation of real processes: worked off by a real program, also when a worker is killed in the middle."""

import json
import os
import signal
import stat
import sys

import pytest

from tests.support import stack
from tests.support.stack import until

BASE = "/api/v1/automation/queues"
# Writes down that it began, and hangs as long as it is told to by a file beside it.
SCRIPT = """#!{python}
import json, os, pathlib, sys, time
here, told = pathlib.Path(__file__).parent, json.load(sys.stdin)
with (here / "began").open("a") as file:
    file.write(f"{{os.getpid()}} {{told['number']}}\\n")
end = time.monotonic() + 100
while (here / "hold").exists() and told["number"] == 0 and time.monotonic() < end:
    time.sleep(0.05)
print(json.dumps({{"number": told["number"]}}))
"""
CALL_BATCH = """
from config.acts.running import invocations
print(invocations.call("automation.batch_process", {"batch_size": 5, "queue": "by_hand"}, owner="system", caller="test").uid)
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """With one listed program, and a worker for actions where there is not one process for everything."""
    folder = tmp_path_factory.mktemp("house")
    script = folder / "work"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    listed = folder / "commands.json"
    listed.write_text(json.dumps({"work": {"argv": [str(script)]}}))
    with stack.installation(folder, STEWARD_COMMANDS_FILE=str(listed)) as found:
        if "up" not in found.commands and "actions" not in found.commands:
            found.commands = {**found.commands, "actions": ["worker", "--queue", "actions"]}
            found.start("actions")
        yield found


def made(house, slug, **fields):
    """A queue with the program."""
    given = {"slug": slug, "processor": "automation.command", "parameters": {"program": "work", "timeout_seconds": 110}, **fields}
    answer = house.call(BASE, given)
    assert answer.status == 201, answer.body


def put(house, slug, *numbers):
    answer = house.call(f"{BASE}/{slug}/items/batch", {"items": [{"payload": {"number": number}} for number in numbers]})
    assert answer.status == 201, answer.body
    return [one["id"] for one in answer.json()]


def item(house, slug, uid):
    return house.call(f"{BASE}/{slug}/items/{uid}").json()


def are_all(house, slug, uids, status):
    return all(item(house, slug, uid)["status"] == status for uid in uids)


def began(house):
    """Process and number of each run of the program."""
    file = house.folder / "began"
    return [tuple(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


def test_items_are_worked_off_as_they_come(house):
    made(house, "swift")
    uids = put(house, "swift", 1, 2, 3)
    until(lambda: are_all(house, "swift", uids, "done"), seconds=60, what="three items being done")
    assert item(house, "swift", uids[2])["result"]["output"] == {"number": 3}


def test_a_batch_that_is_called_as_an_action_takes_the_five_oldest(house):
    made(house, "by_hand", is_automatic=False)
    uids = put(house, "by_hand", *range(11, 23))
    house.manage("shell", "-v", "0", "-c", CALL_BATCH)
    until(lambda: are_all(house, "by_hand", uids[:5], "done"), seconds=60, what="the batch")
    assert are_all(house, "by_hand", uids[5:], "waiting")
    found = "SELECT type FROM kernel_event WHERE type LIKE 'batch.%%' ORDER BY id"
    until(lambda: len(house.rows(found)) == 2, what="the end of the batch")
    assert house.rows(found) == [("batch.started",), ("batch.completed",)]


def test_an_item_whose_process_is_killed_is_worked_by_the_next(house):
    hold = house.folder / "hold"
    hold.write_text("")
    made(house, "deadly", max_in_progress=1)
    [uid] = put(house, "deadly", 0)
    program, _ = until(lambda: [one for one in began(house) if one[1] == 0], seconds=60, what="the program's start")[0]
    holder = int(item(house, "deadly", uid)["holder"].rpartition(":")[2])
    os.kill(holder, signal.SIGKILL)
    os.kill(program, signal.SIGKILL)
    hold.unlink()
    assert item(house, "deadly", uid)["status"] == "processing"
    # The lease runs out: the clock of this row is moved, nobody waits for minutes.
    house.rows("UPDATE automation_workitem SET lease_until = created_at WHERE uid = %s", uid)
    until(lambda: are_all(house, "deadly", [uid], "done"), seconds=90, what="the second attempt")
    found = item(house, "deadly", uid)
    assert (found["attempts"], found["deaths"], found["result"]["output"]) == (2, 1, {"number": 0})
