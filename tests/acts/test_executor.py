"""From a due row to its outcome, in the test's own thread."""

from datetime import timedelta

import pytest
import time_machine

from config.acts.executor import claiming, recording
from config.acts.executor.loop import Loop
from config.acts.executor.results import Result
from config.acts.models import Invocation, Slot
from config.acts.plugins.actions import actions
from config.acts.running import invocations, slots
from config.acts.running.runner import Runner
from config.kernel.desk import options
from config.kernel.flow import clock, jobs, leases
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Refused
from config.kernel.models import Tally
from config.kernel.watch import metrics
from tests.support.acting.actions.fail import Fail
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db


def call(action="acting.noop", params=None, **given):
    return invocations.call(action, params or {}, **{"owner": "system", "caller": "test", **given})


def run(action="acting.noop", params=None, **given):
    row = call(action, params, **given)
    work_off()
    row.refresh_from_db()
    return row


def later(row, **ago):
    """Its time has come."""
    Invocation.objects.filter(pk=row.pk).update(due_at=clock.now() - timedelta(seconds=1))
    work_off()
    row.refresh_from_db()
    return row


def test_a_call_is_run_and_recorded():
    row = run()
    assert (row.status, row.output, row.attempts) == ("completed", {"attempt": 1}, 1)
    assert row.started_at <= row.ended_at
    assert (row.lease_token, row.lease_until, row.due_at) == ("", None, None)
    assert slots.holders("actions") == []


@pytest.mark.parametrize("outcome", [Failed("wordy", "a" * 2_000_000), Refused("a" * 2_000_000), NotConfigured("a" * 2_000_000)])
def test_a_sentence_without_end_is_cut_so_that_it_comes_through(outcome):
    class Wordy(Fail):
        def run(self, params, call):
            return outcome

    with actions.swapped("acting.fail", Wordy()):
        row = run("acting.fail")
    assert len(row.error_message) == 2000


@pytest.mark.parametrize(
    ("how", "status", "code", "message"),
    [
        ("failed", "failed", "disk_full", "There is no room on the disk."),
        ("refused", "refused", "refused", "It is not the time for that."),
        ("not_configured", "failed", "not_configured", "SOME_URL is not set."),
        ("permanent", "failed", "no_such_thing", "There is no such thing."),
    ],
)
def test_what_an_action_answers_is_what_becomes_of_the_row(how, status, code, message):
    row = run("acting.fail", {"how": how})
    assert (row.status, row.error_code, row.error_message) == (status, code, message)


def test_what_an_action_raises_is_a_failure_without_its_secrets():
    row = run("acting.fail", {"how": "raised"})
    assert (row.status, row.error_code) == ("failed", "error")
    assert row.error_message.startswith("ValueError: password=********")
    assert "fail.py" in row.error_message


def test_an_answer_that_is_no_outcome_is_a_failure():
    assert run("acting.fail", {"how": "no_outcome"}).error_message.startswith("TypeError: an action must answer with an Outcome")


def test_a_temporary_failure_is_tried_again_under_the_same_key_until_it_works():
    row = run("acting.flaky", {"times": 2}, key="mine")
    assert (row.status, row.attempts, row.error_code) == ("pending", 1, "temporary")
    assert row.due_at > clock.now()
    assert later(row).attempts == 2
    assert (later(row).status, row.output) == ("completed", {"attempt": 3, "key": "mine"})
    assert row.error_code == ""


def test_the_policy_and_the_option_end_the_tries():
    row = run("acting.flaky", {"times": 99}, retry={"max_attempts": 2, "base_seconds": 1})
    assert (later(row).status, row.error_code, row.attempts) == ("failed", "temporary", 2)
    options.set("ACTION_RETRIES", 0)
    assert run("acting.flaky", {"times": 99}).status == "failed"


def test_a_failure_may_name_its_own_wait():
    row = run("acting.fail", {"how": "temporary"})
    assert row.due_at >= clock.now() + timedelta(seconds=29)


def test_a_policy_may_repeat_other_failures_too():
    assert run("acting.fail", {"how": "failed"}, retry={"max_attempts": 3}).status == "failed"
    assert run("acting.fail", {"how": "failed"}, retry={"max_attempts": 3, "on": ["disk_full"]}).status == "pending"
    assert run("acting.fail", {"how": "failed"}, retry={"max_attempts": 3, "on": "any"}).status == "pending"


def test_a_wait_holds_nothing_and_goes_on_with_its_state():
    row = run("acting.wait", {"seconds": 3600, "times": 2})
    assert (row.status, row.state, row.lease_until) == ("waiting", {"seen": 1}, None)
    assert slots.holders("actions") == []
    assert later(row).state == {"seen": 2}
    assert (later(row).status, row.output) == ("completed", {"seen": 2, "attempt": 1}), "going on is not another attempt"


def test_an_output_that_is_too_large_is_a_failure(swap):
    swap(lambda params, call: Done({"text": "x" * 70_000}))
    row = run()
    assert (row.status, row.error_code, row.output) == ("failed", "resource_limit", None)
    swap(lambda params, call: Done({"text": "\0"}))
    assert run().status == "failed", "no database stores it"


@pytest.fixture
def swap(monkeypatch):
    """Have acting.noop do something else."""
    from config.acts.plugins.actions import actions

    return lambda deed: monkeypatch.setattr(type(actions.get("acting.noop")), "run", lambda self, params, call: deed(params, call))


def test_the_urgent_go_first_then_the_old(swap):
    order = []
    swap(lambda params, call: order.append(call.id) or Done())
    low, normal, high, second = call(priority=0), call(), call(priority=3), call()
    options.set("ACTION_MAX_CONCURRENT", 1)
    work_off()
    assert order == [high.uid, normal.uid, second.uid, low.uid]


def test_never_more_are_claimed_than_the_limit():
    options.set("ACTION_MAX_CONCURRENT", 3)
    for _ in range(5):
        call()
    first = claiming.claim("a" * 32, inline_room=10, child_room=10)
    assert (len(first.jobs), first.is_held_up) == (3, True)
    assert claiming.claim("b" * 32, inline_room=10, child_room=10).jobs == []
    assert [slot.held_for for slot in slots.holders("actions")] == [f"invocation:{job.uid}" for job in first.jobs]
    recording.record([(first.jobs[0], Result("done"))], token="a" * 32)
    assert len(claiming.claim("b" * 32, inline_room=10, child_room=10).jobs) == 1


def test_only_what_there_is_room_for_here_is_claimed():
    call("acting.echo")
    call()
    assert [job.action for job in claiming.claim("a" * 32, inline_room=1, child_room=0).jobs] == ["acting.noop"]
    assert [job.action for job in claiming.claim("a" * 32, inline_room=0, child_room=1).jobs] == ["acting.echo"]


def test_who_lost_the_lease_records_nothing():
    row = call()
    [job] = claiming.claim("a" * 32, inline_room=1, child_room=0).jobs
    Invocation.objects.update(lease_token="b" * 32)
    assert recording.record([(job, Result("done"))], token="a" * 32) == []
    row.refresh_from_db()
    assert row.status == "running"


@pytest.mark.parametrize(
    ("action", "params", "status", "code"),
    [
        ("acting.flaky", {"times": 0}, "failed", "outcome_unknown"),
        ("acting.noop", {}, "pending", ""),
    ],
)
def test_what_a_killed_worker_left_is_repeated_where_that_cannot_do_harm(action, params, status, code):
    with time_machine.travel("2026-01-01T00:00:00+00:00", tick=False):
        row = call(action, params)
        claiming.claim("a" * 32, inline_room=1, child_room=0)
        assert claiming.take_back() == 0
    assert claiming.take_back() == 1
    row.refresh_from_db()
    assert (row.status, row.error_code) == (status, code)
    assert slots.holders("actions") == [], "its slot has run out, too"
    work_off()
    row.refresh_from_db()
    assert (row.status, row.attempts) == (("completed", 2) if status == "pending" else ("failed", 1))


def test_what_kills_its_worker_again_and_again_is_given_up():
    options.set("ACTION_RETRIES", 1)
    row = call()
    for expected in ("pending", "failed"):
        Invocation.objects.update(due_at=clock.now())
        claiming.claim("a" * 32, inline_room=1, child_room=0)
        Invocation.objects.update(lease_until=clock.now() - timedelta(seconds=1))
        Slot.objects.update(until=clock.now() - timedelta(seconds=1))
        claiming.take_back()
        row.refresh_from_db()
        assert row.status == expected


@pytest.mark.parametrize(("action", "params"), [("acting.wait", {"seconds": 60}), ("acting.flaky", {"times": 9})])
def test_a_wish_to_cancel_is_heeded_although_the_attempt_had_ended_before(action, params, monkeypatch):
    row = call(action, params, follower="kernel.tidy")
    nudged = []
    monkeypatch.setattr(jobs, "nudge", nudged.append)
    took = actions.get(action).run

    def asked_meanwhile(params, call):
        assert invocations.cancel(invocations.find(call.id), reason="not wanted")
        return took(params, call)

    monkeypatch.setattr(actions.get(action), "run", asked_meanwhile)
    work_off()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.error_message) == ("cancelled", "cancelled", "not wanted")
    assert (row.due_at, "kernel.tidy" in nudged) == (None, True)


def test_a_target_has_one_at_a_time():
    row = call("acting.sleep", {"seconds": 0, "target": "service:web"})
    held = leases.acquire("target:service:web", seconds=60, holder="fix:fix_1")
    work_off()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("refused", "target_taken")
    assert row.error_message == "service:web is being worked on by fix:fix_1. Ask again when that has ended."
    again = call("acting.sleep", {"seconds": 0, "target": "service:web"}, retry={"max_attempts": 3})
    work_off()
    again.refresh_from_db()
    assert (again.status, again.error_code) == ("pending", "target_taken")
    leases.release(held)


def test_what_has_begun_waits_for_its_target_instead_of_being_refused():
    row = run("acting.wait", {"seconds": 60, "target": "service:web"})
    held = leases.acquire("target:service:web", seconds=60, holder="invocation:inv_other")
    assert (later(row).status, row.state) == ("waiting", {"seen": 1})
    assert row.due_at > clock.now()
    leases.release(held)
    assert later(row).status == "completed"


def test_an_action_that_is_gone_and_parameters_that_cannot_be_read_end_their_own_row_only(settings):
    gone, sealed, good = call(), call(), call()
    Invocation.objects.filter(pk=gone.pk).update(action="acting.removed")
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE acts_invocation SET params = 'gAAAAAnonsense' WHERE id = %s", [sealed.pk])
    with pytest.raises(PermanentError):
        work_off()  # only the test's own look at the row fails
    found = {pk: (status, code) for pk, status, code in Invocation.objects.values_list("pk", "status", "error_code")}
    assert found == {gone.pk: ("failed", "not_found"), sealed.pk: ("failed", "wrong_key"), good.pk: ("completed", "")}


def test_whoever_waits_for_the_end_is_nudged(monkeypatch):
    nudged = []
    monkeypatch.setattr(jobs, "nudge", nudged.append)
    run("acting.wait", {"seconds": 60}, follower="kernel.tidy")
    assert "kernel.tidy" not in nudged
    run(follower="kernel.tidy")
    assert "kernel.tidy" in nudged


def test_a_batch_costs_less_than_half_a_statement_a_call(django_assert_max_num_queries, monkeypatch):
    monkeypatch.setenv("ACTION_MAX_CONCURRENT", "50")
    invocations.call_many([invocations.Wanted("acting.noop", {}, "system", "test") for _ in range(200)])
    work_off()
    Invocation.objects.update(status="pending", due_at=clock.now(), ended_at=None, output=None)
    with django_assert_max_num_queries(100):
        work_off()
    assert Invocation.objects.filter(status="completed").count() == 200


def test_ends_and_times_are_counted():
    metrics.flush()
    Tally.objects.all().delete()
    run()
    run("acting.fail")
    metrics.flush()
    found = dict(Tally.objects.filter(name="actions_total").values_list("labels", "value"))
    assert found == {'{"action":"acting.noop","outcome":"completed"}': 1, '{"action":"acting.fail","outcome":"failed"}': 1}
    assert Tally.objects.filter(name="action_seconds_count", labels='{"action":"acting.noop"}').exists()


@pytest.mark.django_db(transaction=True)
def test_an_inline_action_waits_no_longer_for_the_database_than_its_time(swap):
    from django.db import connection

    def linger(params, call):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)" if connection.vendor == "postgresql" else "SELECT 1")
        return Done()

    swap(linger)
    row = call(timeout_seconds=0.2)
    Loop(Runner(), stay_seconds=0).run()
    row.refresh_from_db()
    assert row.status == ("timeout" if connection.vendor == "postgresql" else "completed"), "SQLite has no such limit"
    assert row.run_seconds < 10
