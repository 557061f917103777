"""Executions from their start to their end: order, room, failure, time, concurrency, cancelling."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from automation.enums import ExecutionStatus
from automation.models import Execution
from automation.services import control, executions
from config.acts.models import Invocation
from config.kernel.desk import options
from config.kernel.flow import clock, events, jobs
from config.kernel.models import Event
from tests.support.acting.executor import work_off
from tests.support.rules import happen, make_rule, run, sample

pytestmark = pytest.mark.django_db
NOOP = {"action": "acting.noop", "params": {}}


def test_actions_run_one_after_the_other_with_what_the_event_brought():
    rule = make_rule(actions=[NOOP, {"action": "acting.noop", "params": {}}])
    happen()
    run()
    execution = Execution.objects.get()
    assert (execution.status, execution.position, execution.error_message) == ("completed", 2, "")
    calls = list(executions.invocations_of(execution))
    assert [call.status for call in calls] == ["completed", "completed"]
    assert calls[0].ended_at <= calls[1].started_at
    assert calls[0].correlation_id == execution.correlation_id
    assert rule.executions.count() == 1


def test_the_end_of_an_execution_is_an_event_caused_by_the_first():
    make_rule()
    event = happen()
    run()
    ended = Event.objects.get(type="execution.completed")
    assert (ended.cause_uid, ended.hops) == (event.uid, 1)
    assert ended.data["execution_id"] == Execution.objects.get().uid


def test_parameters_are_filled_from_the_event():
    make_rule(actions=[{"action": "acting.echo", "params": {"text": "${data.component} is ${data.status}", "times": "${data.count}"}}])
    happen(count=2)
    assert Execution.objects.get().actions == [
        {"action": "acting.echo", "params": {"text": "database is x", "times": 2, **_defaults()}},
    ]


def _defaults():
    from config.acts.running import invocations

    found = invocations.clean("acting.echo", {})
    return {name: value for name, value in found.items() if name not in ("text", "times")}


def test_a_value_that_is_missing_fails_it_before_its_first_action():
    make_rule(actions=[NOOP, {"action": "acting.echo", "params": {"text": "${data.nowhere}"}}])
    happen()
    run()
    execution = Execution.objects.get()
    assert (execution.status, execution.error_code) == ("failed", "missing_value")
    assert "data.nowhere" in execution.error_message
    assert not Invocation.objects.exists()


def test_after_a_failure_nothing_more_is_done():
    make_rule(actions=[{"action": "acting.fail", "params": {}}, NOOP])
    happen()
    run()
    execution = Execution.objects.get()
    assert (execution.status, execution.failures) == ("failed", 1)
    assert execution.error_message
    assert Invocation.objects.count() == 1


def test_where_it_says_so_it_goes_on_after_a_failure():
    make_rule(actions=[{"action": "acting.fail", "params": {}}, NOOP], on_failure="continue")
    happen()
    run()
    assert (Execution.objects.get().status, Invocation.objects.count()) == ("failed", 2)


def test_no_more_run_at_once_than_there_is_room_for():
    options.set("AUTOMATION_MAX_CONCURRENT", 2)
    make_rule(concurrency="parallel", max_parallel=10)
    for _ in range(6):
        happen()
    jobs.work("automation.advance")
    assert Execution.objects.filter(status="running").count() == 2
    run()
    run()
    assert Execution.objects.filter(status="completed").count() == 6


def test_the_most_urgent_goes_first():
    options.set("AUTOMATION_MAX_CONCURRENT", 1)
    for name, priority in (("low", 0), ("high", 2), ("normal", 1)):
        make_rule(name, priority=priority)
    happen()
    order = []
    for _ in range(3):
        jobs.work("automation.advance")
        order.append(Execution.objects.get(status="running").name)
        work_off()
    assert order == ["high", "normal", "low"]


def test_one_at_a_time_where_the_rule_queues():
    make_rule(concurrency="queue")
    happen()
    happen()
    jobs.work("automation.advance")
    assert sorted(Execution.objects.values_list("status", flat=True)) == ["pending", "running"]
    run()
    assert set(Execution.objects.values_list("status", flat=True)) == {"completed"}


def test_a_restarting_rule_cancels_what_still_runs():
    make_rule(concurrency="restart")
    happen()
    jobs.work("automation.advance")
    happen()
    jobs.work("automation.advance")
    assert list(Execution.objects.order_by("id").values_list("status", flat=True)) == ["cancelled", "running"]
    assert Invocation.objects.order_by("id").first().status == "cancelled"


def test_past_its_time_it_ends_and_its_action_is_stopped():
    make_rule(timeout_seconds=10)
    happen()
    jobs.work("automation.advance")
    with time_machine.travel(clock.now() + timedelta(seconds=11), tick=False):
        executions.advance(clock.now(), 10)
    execution = Execution.objects.get()
    assert (execution.status, Invocation.objects.get().status) == ("timeout", "cancelled")


def test_cancelling_ends_it_and_its_action():
    make_rule()
    happen()
    jobs.work("automation.advance")
    execution = Execution.objects.get()
    assert executions.cancel(execution, reason="Enough.")
    assert not executions.cancel(execution)
    run()
    execution.refresh_from_db()
    assert (execution.status, Invocation.objects.get().status) == ("cancelled", "cancelled")


def test_asking_first_takes_no_room_and_no_time():
    options.set("AUTOMATION_LEVEL", "assisted")
    options.set("AUTOMATION_MAX_CONCURRENT", 1)
    make_rule("first", timeout_seconds=10)
    happen()
    run()
    assert Invocation.objects.get().status == "awaiting_approval"
    options.set("AUTOMATION_LEVEL", "intelligent")
    make_rule("second")
    with time_machine.travel(clock.now() + timedelta(hours=2), tick=False):
        happen()
        run()
    assert dict(Execution.objects.filter(status__in=["running", "completed"]).values_list("name", "status")) == {
        "first": "running",
        "second": "completed",
    }


def test_while_a_person_is_waited_for_turns_write_nothing():
    options.set("AUTOMATION_LEVEL", "assisted")
    make_rule(timeout_seconds=10)
    happen()
    run()
    deadline = Execution.objects.get().deadline_at
    with time_machine.travel(clock.now() + timedelta(minutes=20), tick=False):
        executions.advance(clock.now(), 10)
    assert Execution.objects.get().deadline_at == deadline
    with time_machine.travel(clock.now() + timedelta(minutes=40), tick=False):
        executions.advance(clock.now(), 10)
        assert Execution.objects.get().deadline_at > clock.now() + timedelta(minutes=60)


def test_a_deferrable_rule_waits_while_the_machine_is_busy_and_says_so_but_not_for_ever():
    make_rule(is_deferrable=True, defer_minutes=5)
    begin = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    with time_machine.travel(begin, tick=False):
        sample(begin, cpu_usage=97)
        happen()
        executions.advance(clock.now(), 10)
        execution = Execution.objects.get()
        assert execution.status == "pending"
        assert execution.reason_text == "It waits, because cpu_usage = 97 %, which is above 90 %; at most until 12:05:00 UTC."
    with time_machine.travel(begin + timedelta(seconds=20), tick=False):
        sample(clock.now(), cpu_usage=20)
        executions.advance(clock.now(), 10)
    execution.refresh_from_db()
    assert execution.status == "running"


def test_it_is_started_after_its_longest_wait_however_busy_it_is():
    make_rule(is_deferrable=True, defer_minutes=5)
    begin = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    with time_machine.travel(begin, tick=False):
        sample(begin, cpu_usage=97)
        happen()
        executions.advance(clock.now(), 10)
    with time_machine.travel(begin + timedelta(minutes=5), tick=False):
        executions.advance(clock.now(), 10)
    assert Execution.objects.get().status == "running"


def test_an_urgent_rule_never_waits_for_the_machine():
    make_rule(is_deferrable=True, priority=2)
    begin = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    with time_machine.travel(begin, tick=False):
        sample(begin, cpu_usage=97)
        happen()
        executions.advance(clock.now(), 10)
    assert Execution.objects.get().status == "running"


def test_run_by_hand_it_runs_whatever_its_conditions_say(admin_user):
    rule = make_rule(mode="off", condition="data.status == 'never'")
    control.stop(admin_user)
    execution = executions.run_now(rule, user=admin_user.get_username())
    run()
    execution.refresh_from_db()
    assert (execution.status, execution.source, execution.actor) == ("completed", "manual", "admin")


def test_figures_are_those_of_the_requirement():
    """Four executions of one, two, three and four seconds, one of which failed."""
    now = clock.now()
    for seconds in (1, 2, 3, 4):
        status = ExecutionStatus.FAILED if seconds == 4 else ExecutionStatus.COMPLETED
        Execution.objects.create(
            name="x", source="manual", status=status, started_at=now - timedelta(seconds=seconds), ended_at=now, key=f"k{seconds}"
        )
    Execution.objects.create(name="x", source="manual", status=ExecutionStatus.SKIPPED)
    found = control.status()
    assert (found.success_rate, found.average_execution_time) == (0.75, 2.5)


def test_without_any_the_figures_are_numbers():
    status = control.status()
    assert (f"{status.success_rate:.2%}", f"{status.average_execution_time:.2f}") == ("0.00%", "0.00")


def test_a_killed_worker_leaves_an_execution_that_the_sweep_finds():
    make_rule()
    happen()
    jobs.work("automation.advance")
    Invocation.objects.update(status="completed", ended_at=clock.now())
    assert executions.due_count(clock.now()) == 1
    jobs.work("automation.advance")
    assert Execution.objects.get().status == "completed"


def test_ten_are_started_with_few_statements_more_than_one(django_assert_max_num_queries):
    options.set("AUTOMATION_MAX_CONCURRENT", 50)
    make_rule(concurrency="parallel", max_parallel=50)
    for _ in range(10):
        happen()
    with django_assert_max_num_queries(10 + 10 * 8):
        executions.advance(clock.now(), 100)
    assert Execution.objects.filter(status="running").count() == 10


def test_of_several_that_wait_only_the_last_of_a_restarting_rule_runs():
    make_rule(concurrency="restart")
    for _ in range(3):
        happen()
    jobs.work("automation.advance")
    assert list(Execution.objects.order_by("id").values_list("status", flat=True)) == ["cancelled", "cancelled", "running"]
    assert Invocation.objects.count() == 1


def test_a_long_line_of_one_rule_holds_up_no_other():
    options.set("AUTOMATION_MAX_CONCURRENT", 2)
    make_rule("slow", concurrency="queue", priority=3)
    for _ in range(12):
        happen()
    make_rule("other", priority=1, trigger_params={"events": ["error.occurred"]})
    events.publish("error.occurred", data={"error_type": "ValueError", "message": "x", "context": {}})
    jobs.work("kernel.route")
    jobs.work("automation.advance")
    assert set(Execution.objects.filter(status="running").values_list("name", flat=True)) == {"slow", "other"}


def test_cancelling_stops_the_action_that_runs_by_then():
    make_rule(actions=[NOOP, NOOP])
    happen()
    jobs.work("automation.advance")
    seen_before = Execution.objects.get()
    work_off()
    jobs.work("automation.advance")
    assert executions.cancel(seen_before)
    assert list(Invocation.objects.order_by("id").values_list("status", flat=True)) == ["completed", "cancelled"]


@pytest.mark.parametrize("status", ["pending", "running"])
def test_what_is_cancelled_in_the_middle_of_a_turn_stays_cancelled(monkeypatch, status):
    """As on SQLite, where no row is locked: somebody cancels between the look and the step."""
    make_rule(actions=[NOOP, NOOP])
    happen()
    if status == "running":
        jobs.work("automation.advance")
        work_off()
    look = executions.pressure.look if status == "pending" else executions._look

    def cancelling(*args):
        executions.cancel(Execution.objects.get())
        return look(*args)

    name = "pressure.look" if status == "pending" else "_look"
    monkeypatch.setattr(f"automation.services.executions.{name}", cancelling)
    executions.advance(clock.now(), 10)
    assert Execution.objects.get().status == "cancelled"
    assert not Invocation.objects.filter(status__in=Invocation.OPEN).exists()
