"""Rules judged on events and samples, with rows: verdicts, executions, what survives a restart."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import Execution, RuleState, Verdict
from automation.services.judging import arming, judgement
from config.acts.plugins.triggers import Trigger, triggers
from config.kernel.desk import options
from config.kernel.flow import events, jobs
from tests.support.rules import happen, make_rule, sample

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
publish = partial(happen, status="degraded")


def judge(*samples, name="cpu_usage", step=30, begin=BEGIN):
    """Samples one after another, each judged when it is taken; whether each fired."""
    fired = []
    for index, value in enumerate(samples):
        at = begin + timedelta(seconds=step * index)
        with time_machine.travel(at, tick=False):
            sample(at, **({} if value is None else {name: value}), other=1)
            before = Execution.objects.filter(status="pending").count()
            judgement.judge_samples()
            fired.append(Execution.objects.filter(status="pending").count() - before)
            Execution.objects.filter(status="pending").update(status="completed")
    return fired


def test_an_event_that_a_rule_listens_to_fires_it_once():
    rule = make_rule(condition="data.status == 'degraded'")
    event = publish()
    execution = Execution.objects.get()
    assert (execution.rule, execution.event, execution.source, execution.status) == (rule, event, "event", "pending")
    assert execution.parts[0]["sentence"] == "data.status = degraded, needs == 'degraded' → true"


def test_an_event_routed_again_fires_nothing_twice():
    make_rule()
    event = publish()
    events.reroute(event)
    jobs.work("kernel.route")
    assert Execution.objects.count() == 1


def test_an_event_of_another_type_is_not_judged_at_all():
    make_rule(trigger_params={"events": ["error.occurred"]})
    publish()
    assert not Verdict.objects.exists()


def test_a_rule_that_does_not_fire_says_why():
    make_rule(condition="data.status == 'down' AND data.nowhere > 3")
    publish()
    verdict = Verdict.objects.get()
    assert (verdict.result, verdict.reason) == ("not_met", "not_met")
    assert verdict.text == "data.status = degraded, needs == 'down' → false."


def test_what_is_not_known_does_not_fire():
    make_rule(condition="data.nowhere > 3")
    publish()
    assert Verdict.objects.get().result == "unknown"
    assert not Execution.objects.exists()


def test_verdicts_that_say_the_same_are_one_row():
    make_rule(condition="data.load > 5")
    for load in (1, 3, 2):
        last = publish(load=load)
    verdict = Verdict.objects.get()
    assert (verdict.count, verdict.extremes, verdict.event_uid) == (3, {"data.load": [1, 3]}, last.uid)
    assert verdict.parts[0]["value"] == 2


def test_a_verdict_that_says_something_else_begins_a_row():
    make_rule(condition="data.load > 5")
    for load in (1, 9, 1):
        publish(load=load)
    assert list(Verdict.objects.order_by("id").values_list("result", flat=True)) == ["not_met", "fired", "not_met"]


def test_shadow_records_what_it_would_do_and_does_nothing():
    make_rule(mode="shadow")
    publish()
    execution = Execution.objects.get()
    assert (execution.is_shadow, execution.status) == (True, "skipped")
    assert Verdict.objects.get().result == "shadow"


def test_a_rule_that_is_off_is_not_judged():
    make_rule(mode="off")
    publish()
    assert not Verdict.objects.exists()


def test_while_automation_is_stopped_rules_are_held_and_say_so():
    make_rule()
    options.set("AUTOMATION_RUNNING", False)
    publish()
    publish()
    execution = Execution.objects.get()
    assert (execution.status, execution.reason) == ("skipped", "stopped")
    assert Verdict.objects.get().count == 2


def test_a_second_event_is_held_by_the_cooldown_and_the_first_after_it_fires():
    make_rule(cooldown_seconds=600, concurrency="parallel", max_parallel=5)
    fired = []
    for second in (0, 599, 601):
        with time_machine.travel(BEGIN + timedelta(seconds=second), tick=False):
            publish()
            fired.append(Execution.objects.filter(status="pending").count())
    assert fired == [1, 1, 2]


def test_no_more_often_than_so_many_times_an_hour():
    make_rule(max_per_hour=2, concurrency="parallel", max_parallel=9)
    for second in (0, 10, 20, 3601):
        with time_machine.travel(BEGIN + timedelta(seconds=second), tick=False):
            publish()
    assert Execution.objects.filter(status="pending").count() == 3
    assert Execution.objects.filter(reason="max_per_hour").count() == 1


def test_several_events_in_one_list_obey_the_cooldown_among_themselves():
    make_rule(cooldown_seconds=600)
    for _ in range(3):
        events.publish("system.status", data={"status": "x", "component": "y", "details": {}})
    jobs.work("kernel.route")
    assert Execution.objects.filter(status="pending").count() == 1


def test_a_verdict_that_begins_among_several_events_counts_only_its_own():
    make_rule(condition="data.status == 'degraded'")
    publish(status="healthy")
    for status in ("healthy", "degraded"):
        events.publish("system.status", data={"status": status, "component": "y", "details": {}})
    jobs.work("kernel.route")
    found = Verdict.objects.order_by("id").values_list("result", "count", "parts__0__value")
    assert list(found) == [("not_met", 2, "healthy"), ("fired", 1, "degraded")]


def test_each_subject_is_judged_by_itself():
    make_rule(subject_path="data.component", cooldown_seconds=600, concurrency="parallel", max_parallel=9)
    publish(component="a")
    publish(component="b")
    publish(component="a")
    assert sorted(Execution.objects.filter(status="pending").values_list("subject", flat=True)) == ["a", "b"]


def test_a_debounced_event_counts_when_it_has_been_quiet():
    make_rule(debounce_seconds=60)
    with time_machine.travel(BEGIN, tick=False):
        publish()
    with time_machine.travel(BEGIN + timedelta(seconds=40), tick=False):
        last = publish()
        assert judgement.judge_due(datetime.now(UTC) + timedelta(seconds=30), 10) == 0
    with time_machine.travel(BEGIN + timedelta(seconds=101), tick=False):
        assert judgement.judge_due(datetime.now(UTC), 10) == 1
    assert Execution.objects.get().event == last


def test_what_leaves_nothing_new_to_remember_is_not_written_again():
    make_rule(condition="data.status == 'another'")
    publish()
    with CaptureQueriesContext(connection) as caught:
        publish()
    assert Verdict.objects.get().count == 2
    assert not [one for one in caught if "UPDATE automation_rulestate" in one["sql"]]


def test_a_sequence_fires_when_all_of_it_came_in_order_and_in_time():
    make_rule(trigger="automation.sequence", trigger_params={"events": ["error.occurred", "system.status"], "within_seconds": 60})
    for second, fires in ((0, 0), (70, 0), (80, 0)):
        with time_machine.travel(BEGIN + timedelta(seconds=second), tick=False):
            publish()
            assert Execution.objects.count() == fires
    with time_machine.travel(BEGIN + timedelta(seconds=90), tick=False):
        events.publish("error.occurred", data={"error_type": "E", "message": "m", "context": {}})
        publish()
    assert Execution.objects.get().source == "sequence"


def test_a_debounced_sequence_still_says_which_events_it_was():
    echo = {"action": "acting.echo", "params": {"text": "${sequence[0]} ${sequence[1]}"}}
    sequence = {"events": ["error.occurred", "system.status"], "within_seconds": 60}
    make_rule(trigger="automation.sequence", trigger_params=sequence, debounce_seconds=60, actions=[echo])
    with time_machine.travel(BEGIN, tick=False):
        first = events.publish("error.occurred", data={"error_type": "E", "message": "m", "context": {}})
        second = publish()
    with time_machine.travel(BEGIN + timedelta(seconds=61), tick=False):
        assert judgement.judge_due(datetime.now(UTC), 10) == 1
    assert Execution.objects.get().actions[0]["params"]["text"] == f"{first.uid} {second.uid}"


def test_an_absence_fires_once_and_again_only_after_an_event():
    with time_machine.travel(BEGIN, tick=False):
        make_rule(trigger="automation.absence", trigger_params={"events": ["system.status"], "within_seconds": 60}, concurrency="queue")
    for second, fired in ((59, 0), (60, 1), (500, 1)):
        with time_machine.travel(BEGIN + timedelta(seconds=second), tick=False):
            judgement.judge_due(datetime.now(UTC), 10)
            assert Execution.objects.count() == fired, second
    with time_machine.travel(BEGIN + timedelta(seconds=600), tick=False):
        publish()
    with time_machine.travel(BEGIN + timedelta(seconds=661), tick=False):
        judgement.judge_due(datetime.now(UTC), 10)
    assert Execution.objects.count() == 2


def test_a_schedule_fires_once_for_each_of_its_times():
    with time_machine.travel(datetime(2026, 1, 31, 1, 59, tzinfo=UTC), tick=False):
        make_rule(trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
        judgement.judge_due(datetime.now(UTC), 10)
        assert not Execution.objects.exists()
    with time_machine.travel(datetime(2026, 1, 31, 2, 1, tzinfo=UTC), tick=False):
        judgement.judge_due(datetime.now(UTC), 10)
        judgement.judge_due(datetime.now(UTC), 10)
    assert Execution.objects.get().source == "schedule"


# --- samples ------------------------------------------------------------------------------------


def test_a_threshold_fires_above_and_not_at_the_limit():
    params = {"cpu_threshold": 80, "memory_threshold": 85, "response_time_threshold": 5.0}
    make_rule(trigger="automation.threshold", trigger_params=params)
    judge(0)
    assert judge(80, 81, 82, 70, 81, begin=BEGIN + timedelta(hours=1)) == [0, 1, 0, 0, 1]


def test_for_five_minutes_means_for_five_minutes():
    make_rule(trigger="automation.threshold", condition="cpu_usage > 80 AND duration > 5m")
    judge(0)
    assert judge(*[81] * 10, begin=BEGIN + timedelta(hours=1)) == [0] * 10
    assert judge(81, 82, 83, begin=BEGIN + timedelta(hours=1, seconds=300)) == [1, 0, 0]


def test_a_dip_starts_it_anew():
    make_rule(trigger="automation.threshold", condition="cpu_usage > 80 AND duration > 5m")
    judge(0)
    assert judge(*[81] * 8, 79, *[81] * 11, begin=BEGIN + timedelta(hours=1)) == [0] * 19 + [1]


def test_a_missing_sample_is_no_breach():
    make_rule(trigger="automation.threshold", condition="cpu_usage > 80 AND duration > 5m")
    judge(0)
    assert judge(*[81] * 5, None, *[81] * 6, begin=BEGIN + timedelta(hours=1)) == [0] * 12
    assert RuleState.objects.get().held_seconds == 270


def test_a_restart_of_everything_in_the_middle_loses_nothing_and_doubles_nothing():
    """Nothing is in memory: a new process reads the rows, judges what was measured meanwhile, and goes on."""
    make_rule(trigger="automation.threshold", condition="cpu_usage > 80 AND duration > 5m")
    judge(0)
    begin = BEGIN + timedelta(hours=1)
    judge(*[81] * 5, begin=begin)
    arming.forget()
    for index in range(5, 12):  # measured while nobody judged
        sample(begin + timedelta(seconds=30 * index), cpu_usage=81)
    judgement.judge_samples()
    judgement.judge_samples()
    execution = Execution.objects.get(status="pending")
    assert execution.key.endswith("13:05:00.000Z:")


def test_with_a_cooldown_it_fires_again_while_it_stays_true():
    make_rule(trigger="automation.threshold", trigger_params={"cpu_threshold": 80}, cooldown_seconds=600)
    judge(0)
    assert judge(*[81] * 22, begin=BEGIN + timedelta(hours=1)) == [1, *[0] * 19, 1, 0]


def test_with_hysteresis_it_fires_again_only_after_its_own_condition_cleared_it():
    make_rule(trigger="automation.threshold", trigger_params={"cpu_threshold": 80}, clear_condition="cpu_usage < 60")
    judge(0)
    assert judge(81, 70, 81, 59, 81, begin=BEGIN + timedelta(hours=1)) == [1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("depth", "minutes", "fires"),
    [(10, 11, 0), (11, 9, 0), (11, 10, 1), (12, 30, 1)],
)
def test_a_queue_rule_wants_more_items_and_the_oldest_old_enough(depth, minutes, fires):
    make_rule(
        trigger="automation.queue", trigger_params={"queue_threshold": 10}, conditions={"min_queue_age_minutes": 10}, concurrency="queue"
    )
    judge(0)
    at = BEGIN + timedelta(hours=1)
    sample(at, queues__default__depth=depth, queues__default__oldest_age=minutes * 60)
    judgement.judge_samples()
    assert Execution.objects.filter(status="pending").count() == fires


def test_a_rule_with_a_severity_asks_for_an_alert_and_says_when_it_is_over():
    from config.kernel.models import Event

    make_rule(trigger="automation.threshold", trigger_params={"cpu_threshold": 80}, severity="high", actions=[])
    judge(0)
    judge(81, 82, 70, begin=BEGIN + timedelta(hours=1))
    alerts = list(Event.objects.filter(type__startswith="alert.").order_by("id"))
    assert [event.type for event in alerts] == ["alert.requested", "alert.cleared"]
    assert (alerts[0].data["severity"], alerts[0].data["metric"], alerts[0].data["value"]) == ("high", "cpu_usage", 81)


def test_a_thousand_rules_are_judged_in_as_many_statements_as_ten(django_assert_max_num_queries):
    for index in range(30):
        make_rule(f"Rule {index}", condition=f"data.load > {index}")
    publish(load=-1)
    event = events.publish("system.status", data={"status": "x", "component": "y", "details": {}, "load": -1})
    with django_assert_max_num_queries(8):
        judgement.hear([event])
    assert set(Verdict.objects.values_list("count", flat=True)) == {2}


class Raising(Trigger):
    """A third party's mistake."""

    source = "event"

    def listens(self, params):
        return ["system.status"]

    def hear(self, params, state, event):
        raise ValueError("no")

    def due(self, params, state, now):
        raise ValueError("no")


def test_a_trigger_that_raises_stops_no_other_rule_and_says_so():
    with triggers.swapped("tests.raising", Raising()):
        make_rule("broken", trigger="tests.raising")
        make_rule("sound")
        publish()
        assert Execution.objects.get(status="pending").name == "sound"
        held = Execution.objects.get(status="skipped")
        assert (held.name, held.reason) == ("broken", "broken")


def test_a_moment_that_cannot_be_judged_is_tried_again_later():
    with triggers.swapped("tests.raising", Raising()):
        rule = make_rule(trigger="tests.raising")
        RuleState.objects.create(rule=rule, due_at=BEGIN)
        with time_machine.travel(BEGIN, tick=False):
            assert judgement.judge_due(BEGIN, 10) == 1
            assert judgement.judge_due(BEGIN, 10) == 0
        assert RuleState.objects.get().due_at == BEGIN + timedelta(minutes=1)
