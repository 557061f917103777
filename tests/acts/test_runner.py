"""Actions in processes of their own: what they say, how they are stopped, and that nothing of them is left. Real processes."""

import os
import threading
import time

import psutil
import pytest
from django.db import connections

from config.acts.executor.loop import Loop
from config.acts.models import Invocation
from config.acts.running import invocations, slots
from config.acts.running.runner import Runner
from config.kernel.desk import options
from tests.support.stack import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.serial]


@pytest.fixture(scope="module")
def runner():
    """One guardian for all: it takes a second to start."""
    found = Runner()
    yield found
    found.close()


@pytest.fixture
def run(runner):
    """Call, and work off until it has ended."""

    def do(action, params=None, **given):
        row = invocations.call(action, params or {}, owner="system", caller="test", **given)
        Loop(runner, stay_seconds=0).run()
        row.refresh_from_db()
        return row

    return do


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_says_what_it_did_and_what_it_printed(run):
    row = run("acting.echo", {"text": "one"}, key="mine")
    assert (row.status, row.output["text"], row.output["key"], row.output["owner"]) == ("completed", "one", "mine", "system")
    assert row.output["pid"] != os.getpid()
    assert "one\n" in row.log
    assert "to the other" in row.log
    assert "raw bytes" in row.log, "bytes that are no text, printed past Python, disturb nothing"


def test_a_secret_parameter_is_nowhere_in_what_an_action_prints_and_gives_back(run):
    row = run("acting.echo", {"text": "it is hunter2 indeed", "secret": "hunter2", "value": {"said": ["hunter2"]}})
    assert (row.output["text"], row.output["value"]) == ("it is ******** indeed", {"said": ["********"]})
    assert "it is ******** indeed" in row.log
    assert "hunter2" not in f"{row.output} {row.log}"


def test_a_child_is_kept_warm_and_used_again(run):
    assert run("acting.echo").output["pid"] == run("acting.echo").output["pid"]


def test_a_child_works_on_our_database(run):
    row = run("acting.write")
    assert (row.status, row.output) == ("completed", {"changed": 1})
    assert row.summary == "written by its own action"


def test_what_never_ends_is_stopped_at_its_time(run, tmp_path):
    began = time.monotonic()
    row = run("acting.busy", {"file": str(tmp_path / "pids")}, timeout_seconds=0.5)
    assert (row.status, row.error_code, row.attempts) == ("timeout", "timeout", 1)
    assert time.monotonic() - began < 5
    assert is_gone(int((tmp_path / "pids").read_text()))
    assert slots.holders("actions") == []


def test_a_timeout_is_tried_again_where_a_policy_says_so(run, tmp_path):
    row = run("acting.busy", {"file": str(tmp_path / "pids")}, timeout_seconds=0.3, retry={"max_attempts": 2, "base_seconds": 0})
    assert (row.status, row.attempts) == ("timeout", 2)
    assert all(is_gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_what_ignores_its_end_goes_with_its_children_and_theirs(run, tmp_path):
    run("acting.stubborn", {"file": str(tmp_path / "pids")}, timeout_seconds=1)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 3
    until(lambda: all(map(is_gone, pids)), seconds=5, what="the end of all three")


def test_what_wants_too_much_memory_fails_and_the_others_go_on(run):
    options.set("ACTION_MEMORY_BYTES", 256 * 1024 * 1024)
    row = run("acting.hog")
    assert (row.status, row.error_code) == ("failed", "resource_limit")
    assert "ACTION_MEMORY_BYTES" in row.error_message
    assert run("acting.echo").status == "completed"


def test_what_prints_for_ever_is_stopped_and_its_end_is_kept(run):
    row = run("acting.loud")
    assert (row.status, row.error_code) == ("failed", "resource_limit")
    assert 0 < len(row.log) <= 64 * 1024


def test_an_output_that_is_too_large_fails(run):
    row = run("acting.echo", {"text": "x" * 1000, "times": 100})
    assert (row.status, row.error_code) == ("failed", "resource_limit")


def test_a_child_that_dies_is_a_crash_repeated_only_where_that_does_no_harm(run):
    row = run("acting.crash", {"attempts": 1}, retry={"max_attempts": 3, "base_seconds": 0})
    assert (row.status, row.output) == ("completed", {"attempt": 2})
    row = run("acting.crash_once")
    assert (row.status, row.error_code, row.attempts) == ("failed", "outcome_unknown", 1)


def test_many_run_at_once_but_never_more_than_the_limit(runner, tmp_path):
    options.set("ACTION_MAX_CONCURRENT", 3)
    log = tmp_path / "log"
    for _ in range(7):
        invocations.call("acting.sleep", {"seconds": 0.3, "file": str(log)}, owner="system", caller="test")
    Loop(runner, stay_seconds=0).run()
    assert Invocation.objects.filter(status="completed").count() == 7
    peak = at_once = 0
    for line in sorted(log.read_text().splitlines(), key=lambda line: float(line.split()[3])):
        at_once += 1 if line.startswith("+") else -1
        peak = max(peak, at_once)
    assert peak == 3


def working(runner):
    """A loop in a thread of its own, as in a worker."""
    loop = Loop(runner, stay_seconds=0)

    def work():
        loop.run()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return loop, thread


def test_a_running_call_is_cancelled_by_stopping_its_process(runner, tmp_path):
    row = invocations.call("acting.busy", {"file": str(tmp_path / "pids")}, owner="system", caller="test")
    _, thread = working(runner)
    until((tmp_path / "pids").exists, what="its start")
    assert invocations.cancel(row, reason="not wanted")
    row.refresh_from_db()
    assert row.status == "running", "it does not say that it has stopped before it has"
    thread.join(15)
    row.refresh_from_db()
    assert (row.status, row.error_message) == ("cancelled", "not wanted")
    assert is_gone(int((tmp_path / "pids").read_text()))


def test_who_lost_its_lease_stops_its_child(runner, tmp_path):
    row = invocations.call("acting.busy", {"file": str(tmp_path / "pids")}, owner="system", caller="test")
    _, thread = working(runner)
    until((tmp_path / "pids").exists, what="its start")
    Invocation.objects.filter(pk=row.pk).update(lease_token="b" * 32, holder="another")
    thread.join(15)
    row.refresh_from_db()
    assert (row.status, row.holder) == ("running", "another"), "the other's row is left alone"
    assert is_gone(int((tmp_path / "pids").read_text()))


def test_a_worker_that_is_stopped_gives_back_what_may_be_repeated(runner, tmp_path):
    row = invocations.call("acting.busy", {"file": str(tmp_path / "pids")}, owner="system", caller="test")
    later = invocations.call("acting.sleep", {"seconds": 60, "file": str(tmp_path / "sleep")}, owner="system", caller="test")
    loop, thread = working(runner)
    until(lambda: (tmp_path / "pids").exists() and (tmp_path / "sleep").exists(), what="their start")
    loop.stop(grace_seconds=0)
    thread.join(15)
    row.refresh_from_db()
    later.refresh_from_db()
    assert (row.status, later.status, later.error_code) == ("pending", "failed", "outcome_unknown")
    assert slots.holders("actions") == []


def test_without_a_sign_of_life_the_guardian_ends_the_children(tmp_path):
    runner = Runner()
    row = invocations.call("acting.busy", {"file": str(tmp_path / "pids")}, owner="system", caller="test")
    answers = []

    def work():
        words = {"action": row.action, "params": row.params, "is_undo": False, "memory_bytes": 2**30, "context": {}}
        told = {"id": row.uid, "key": row.uid, "owner": "system"}
        answers.append(runner.run({**words, "call": told}, seconds=60, must_stop=lambda: ""))

    thread = threading.Thread(target=work)
    thread.start()
    until((tmp_path / "pids").exists, what="its start")
    runner.beat(time.monotonic() + 0.2)
    thread.join(15)
    assert [answer.kind for answer in answers] == ["crashed"]
    assert is_gone(int((tmp_path / "pids").read_text()))
    runner.close()


def test_a_guardian_that_was_killed_is_replaced(run, runner):
    run("acting.echo")
    runner.guardian.kill()
    until(lambda: runner.guardian.poll() is not None, what="its end")
    assert run("acting.echo", retry={"max_attempts": 3, "base_seconds": 0}).status == "completed"


def test_nothing_is_left_when_the_runner_closes(tmp_path):
    runner = Runner()
    for _ in range(2):
        invocations.call("acting.echo", {}, owner="system", caller="test")
    Loop(runner, stay_seconds=0).run()
    family = [runner.guardian.pid, *(child.pid for child in psutil.Process(runner.guardian.pid).children())]
    assert len(family) > 1
    runner.close()
    until(lambda: all(map(is_gone, family)), seconds=5, what="the end of all")
