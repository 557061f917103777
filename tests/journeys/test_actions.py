"""Actions over several workers: never more at once than the limit, nothing leaks, nothing that must not is run twice."""

import json
import time

import psutil
import pytest

from tests.support import stack
from tests.support.stack import until

LIMIT = 10
CALLS = """
from config.acts.running import invocations
from config.acts.running.invocations import Wanted
rows = invocations.call_many([Wanted({action!r}, {{"seconds": {low} + {step} * (n % 5), "file": {file!r}}}, "system", {caller!r})
                              for n in range({count})])
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Three processes that run actions; where there is but one process for everything, that."""
    own = {"STEWARD_APPS": "tests.support.acting", "ACTION_MAX_CONCURRENT": str(LIMIT), "SWEEP_SECONDS": "2"}
    own["AUTOMATION_RUNNING"] = "false"  # on a busy machine a rule would answer, and its call would hold a place of ours
    with stack.installation(tmp_path_factory.mktemp("house"), **own) as found:
        if "actions" in found.commands:
            found.commands = {**found.commands, "actions2": found.commands["actions"], "actions3": found.commands["actions"]}
            for name in ("actions2", "actions3"):
                found.start(name)
            until(lambda: len(workers(found)) == 3, seconds=60, what="three workers")
        yield found


def workers(house):
    return house.rows("SELECT name FROM kernel_lease WHERE name LIKE 'worker:actions:%%'")


def executors(house):
    """The names of the processes that run actions."""
    return [name for name in house.running if name.startswith("actions")] or ["up"]


def call(house, action, count, *, file, caller, low=0.3, step=0.425):
    code = CALLS.format(action=action, count=count, file=str(file), caller=caller, low=low, step=step)
    house.manage("shell", "-v", "0", "-c", code)


def statuses(house, caller):
    statement = "SELECT status, error_code, COUNT(*) FROM acts_invocation WHERE caller = %s GROUP BY 1, 2"
    return {(status, code): count for status, code, count in house.rows(statement, caller)}


def is_over(house, caller):
    return not {status for status, _ in statuses(house, caller)} & {"pending", "running", "waiting"}


def peak_of(intervals):
    """The most that were open at once; one that ends at the moment another begins makes room first."""
    steps = sorted([(begin, 1) for begin, _ in intervals] + [(end, -1) for _, end in intervals])
    at_once = peak = 0
    for _, step in steps:
        at_once += step
        peak = max(peak, at_once)
    return peak


def written(file):
    """What the actions wrote down themselves: id → began, ended (None when it did not)."""
    found = {}
    for line in file.read_text().splitlines():
        sign, uid, _, at = line.split()
        if sign == "+":
            found.setdefault(uid, []).append([float(at), None])
        else:
            found[uid][-1][1] = float(at)
    return found


def test_thirty_calls_reach_the_limit_and_never_pass_it(house, tmp_path):
    file = tmp_path / "log"
    call(house, "acting.sleep", 30, file=file, caller="thirty")
    until(lambda: is_over(house, "thirty"), seconds=90, what="the end of all")
    assert statuses(house, "thirty") == {("completed", ""): 30}
    rows = house.rows("SELECT started_at, ended_at FROM acts_invocation WHERE caller = 'thirty'")
    assert peak_of(rows) == LIMIT, sorted(rows)
    own = [interval for intervals in written(file).values() for interval in intervals]
    assert len(own) == 30
    assert peak_of(own) <= LIMIT
    assert peak_of(own) >= LIMIT - 2, "a process needs a moment to begin, so a short one may be over before"


def test_killed_workers_leak_no_slot_and_nothing_that_must_not_is_repeated(house, tmp_path):
    once, again = tmp_path / "once", tmp_path / "again"
    call(house, "acting.sleep", 15, file=once, caller="once", low=1)
    call(house, "acting.sleep_again", 15, file=again, caller="again", low=1)
    for name in executors(house)[:2]:
        until(lambda: house.rows("SELECT 1 FROM acts_invocation WHERE status = 'running'"), what="something running")
        time.sleep(1)
        children = psutil.Process(house.running[name].pid).children(recursive=True)
        psutil.Process(house.running[name].pid).kill()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == [], "children ended with the worker that was killed"
        house.restart(name)
    until(lambda: is_over(house, "once") and is_over(house, "again"), seconds=180, what="the end of all")
    found = statuses(house, "once")
    assert set(found) <= {("completed", ""), ("failed", "outcome_unknown")}
    assert sum(found.values()) == 15
    assert all(len(runs) == 1 for runs in written(once).values()), "nothing that must not be repeated was"
    assert statuses(house, "again") == {("completed", ""): 15}
    ends = [[began, ended] for runs in [*written(once).values(), *written(again).values()] for began, ended in runs if ended]
    assert peak_of(ends) <= LIMIT
    until(lambda: not house.rows("SELECT 1 FROM acts_slot WHERE until > %s", now()), seconds=30, what="every slot being free")
    call(house, "acting.sleep", LIMIT, file=tmp_path / "after", caller="after", low=1.5, step=0)
    until(lambda: is_over(house, "after"), seconds=60, what="the end of all")
    assert peak_of(house.rows("SELECT started_at, ended_at FROM acts_invocation WHERE caller = 'after'")) == LIMIT


def test_a_worker_that_is_told_to_stop_ends_what_it_runs_or_leaves_it_to_be_repeated(house, tmp_path):
    file = tmp_path / "log"
    for name in executors(house)[1:]:
        house.kill(name)
    [name] = executors(house)
    call(house, "acting.sleep_again", 1, file=file, caller="stopped", low=4)
    until(lambda: file.exists() and "+" in file.read_text(), seconds=30, what="its start")
    family = psutil.Process(house.running[name].pid).children(recursive=True)
    house.running[name].terminate()
    house.running[name].wait(30)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    house.restart(name)
    for killed in set(house.commands) - set(house.running):
        house.start(killed)
    until(lambda: is_over(house, "stopped"), seconds=60, what="its end")
    assert statuses(house, "stopped") == {("completed", ""): 1}
    if "actions" in house.commands:
        assert len(file.read_text().splitlines()) == 2, "it was given the time to end"


def now():
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(sep=" ")


def test_a_call_by_command_is_run_by_a_worker_and_shown(house):
    words = ("call", "acting.echo", "--params", '{"text": "hi", "secret": "hunter2"}', "--wait", "--json")
    shown = json.loads(house.manage("actions", *words))
    assert (shown["status"], shown["output"]["text"]) == ("completed", "hi")
    assert shown["params"]["secret"] == "********"
    assert "hunter2" not in json.dumps(shown["params"])
