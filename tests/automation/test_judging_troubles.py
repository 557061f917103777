"""What may go wrong around judging: names that are gone, plug-ins that raise, rules edited while something waits."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from automation.models import Execution, Rule, RuleState, Verdict
from automation.services import executions, rules
from automation.services.judging import arming, judgement
from config.acts.plugins.triggers import Trigger, triggers
from config.kernel import series
from config.kernel.flow import clock
from config.kernel.language.facts import Fact
from config.kernel.models import Event
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import known
from tests.support.rules import happen, make_rule, sample

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Passing(Sampler):
    """A third party's names, which are gone when it is."""

    title = "Passing"

    def facts(self) -> Sequence[Fact]:
        return (Fact("passing_load"),)


def orphan(**fields):
    """A rule whose condition names what nobody measures any more."""
    with samplers.swapped("tests.passing", Passing()):
        known.forget()
        rule = make_rule(condition="passing_load > 5", **fields)
    known.forget()
    arming.forget()
    return rule


@pytest.mark.parametrize(
    "fields",
    [
        {"trigger": "automation.schedule", "trigger_params": {"every_seconds": 60}},
        {"trigger": "automation.absence", "trigger_params": {"events": ["system.status"], "within_seconds": 60}},
    ],
)
def test_a_rule_that_cannot_be_judged_any_more_is_refused_by_the_clock_and_never_fires(fields):
    with time_machine.travel(BEGIN, tick=False):
        orphan(**fields)
    with time_machine.travel(BEGIN + timedelta(seconds=61), tick=False):
        judgement.judge_due(clock.now(), 10)
    assert not Execution.objects.filter(key__isnull=False).exists()
    verdict = Verdict.objects.get()
    assert (verdict.result, verdict.reason) == ("refused", "broken")
    assert "passing_load is not a known name" in verdict.text


def test_a_rule_that_cannot_be_judged_any_more_says_so_on_events_and_samples_too():
    orphan(name="by event")
    orphan(name="by sample", trigger="automation.threshold", trigger_params={})
    happen()
    for at in (BEGIN, BEGIN + timedelta(seconds=30)):
        sample(at, cpu_usage=1)
        judgement.judge_samples()
    assert set(Verdict.objects.values_list("rule__name", "reason")) == {("by event", "broken"), ("by sample", "broken")}


def test_a_name_that_comes_back_is_judged_again_although_no_rule_was_changed():
    orphan()
    happen()
    with samplers.swapped("tests.passing", Passing()):
        known.forget()
        with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
            sample(clock.now(), passing_load=6)
            happen()
    assert Execution.objects.filter(status="pending").count() == 1


class Broken(Trigger):
    """A third party's newer version, which wants a parameter that older rules have not."""

    source = "event"

    def listens(self, params):
        return params["names"] if params else ["system.status"]

    def condition(self, params):
        return params["limit"] if params else ""


def test_a_trigger_that_cannot_read_its_parameters_any_more_stops_no_other_rule():
    with triggers.swapped("tests.broken", Broken()):
        rule = make_rule("broken", trigger="tests.broken")
        Rule.objects.filter(pk=rule.pk).update(trigger_params={"old": 1})
        make_rule("sound")
        happen()
    assert Execution.objects.get(status="pending").name == "sound"
    assert "trigger" in arming.arm(Rule.objects.get(pk=rule.pk)).problem


def test_a_rule_whose_trigger_is_gone_waits_for_it_and_holds_up_nobody():
    with triggers.swapped("tests.clock", Broken()):
        gone = make_rule("gone", trigger="tests.clock")
        RuleState.objects.create(rule=gone, due_at=BEGIN)
    arming.forget()
    with time_machine.travel(BEGIN - timedelta(seconds=50), tick=False):
        make_rule("sound", trigger="automation.schedule", trigger_params={"every_seconds": 60})
    with time_machine.travel(BEGIN + timedelta(seconds=1), tick=False):
        assert judgement.judge_due(clock.now(), 1) == 1
        assert not judgement.due(clock.now()).exists()
    assert RuleState.objects.get(rule=gone).due_at == BEGIN
    assert Execution.objects.get().name == "sound"


def test_an_edit_is_noticed_although_the_clock_went_back():
    rule = make_rule("older", condition="data.load > 5")
    make_rule("newer", trigger_params={"events": ["error.occurred"]})
    happen(load=3)
    with time_machine.travel(clock.now() - timedelta(hours=1), tick=False):
        rules.update(rule, condition="data.load > 1")
    happen(load=3)
    assert Execution.objects.get().rule == rule


def test_a_moment_that_cannot_be_stored_steps_aside():
    """Its execution is there already, as after a clock that went back."""
    with time_machine.travel(BEGIN, tick=False):
        twice = make_rule("twice", trigger="automation.schedule", trigger_params={"every_seconds": 60}, concurrency="parallel")
        make_rule("sound", trigger="automation.schedule", trigger_params={"every_seconds": 61}, concurrency="parallel")
    with time_machine.travel(BEGIN + timedelta(seconds=60), tick=False):
        judgement.judge_due(clock.now(), 10)
        assert Execution.objects.filter(rule=twice).count() == 1
    RuleState.objects.filter(rule=twice).update(state={"after": clock.text(BEGIN)}, due_at=BEGIN + timedelta(seconds=60))
    Execution.objects.exclude(rule=twice).delete()
    RuleState.objects.exclude(rule=twice).update(due_at=BEGIN + timedelta(seconds=61), state={"after": clock.text(BEGIN)})
    with time_machine.travel(BEGIN + timedelta(seconds=70), tick=False):
        judgement.judge_due(clock.now(), 10)
        assert not judgement.due(clock.now()).exists()
    assert Execution.objects.filter(rule__name="sound").exists()


def test_a_subject_that_cannot_be_stored_is_cleaned():
    make_rule(subject_path="data.who")
    happen(who="a\0b")
    assert Execution.objects.get().subject == "a?b"
    assert Event.objects.filter(route_failures__isnull=False).count() == 0


def watch(*values, begin=BEGIN, step=30):
    """Samples of the processor, each judged when it is taken."""
    for index, value in enumerate(values):
        at = begin + timedelta(seconds=step * index)
        with time_machine.travel(at, tick=False):
            sample(at, cpu_usage=value)
            judgement.judge_samples()


HIGH = {"trigger": "automation.threshold", "trigger_params": {"cpu_threshold": 80}, "severity": "high"}


def told():
    """The events about alerts, oldest first."""
    return list(Event.objects.filter(type__startswith="alert.").order_by("id").values_list("type", flat=True))


@pytest.mark.parametrize("change", [{"mode": "off"}, {"mode": "shadow"}, {"trigger_params": {"cpu_threshold": 90}}, {"severity": ""}, None])
def test_an_alert_that_nobody_watches_any_more_is_over(change):
    rule = make_rule(**HIGH)
    watch(10, 90)
    assert told() == ["alert.requested"]
    rules.delete(rule) if change is None else rules.update(rule, **change)
    assert told() == ["alert.requested", "alert.cleared"]


def test_a_change_that_leaves_the_watch_alone_leaves_the_alert_alone():
    rule = make_rule(**HIGH)
    watch(10, 90)
    rules.update(rule, name="another", cooldown_seconds=600)
    assert told() == ["alert.requested"]


def test_a_rule_in_shadow_says_nothing_of_alerts():
    make_rule(mode="shadow", **HIGH)
    watch(10, 90, 10)
    assert Execution.objects.get().is_shadow
    assert told() == []


def test_a_sample_that_clears_and_fires_at_once_says_both():
    make_rule(clear_condition="cpu_usage > 95", concurrency="parallel", **HIGH)
    watch(10, 90, 96)
    assert told() == ["alert.requested", "alert.cleared", "alert.requested"]


def test_what_fired_in_shadow_holds_nothing_back_in_earnest():
    rule = make_rule(mode="shadow", cooldown_seconds=600, max_per_hour=1, **HIGH)
    watch(10, 90)
    with time_machine.travel(BEGIN + timedelta(seconds=40), tick=False):
        rules.set_mode(rule, "on")
    watch(90, begin=BEGIN + timedelta(seconds=60))
    assert list(Execution.objects.order_by("id").values_list("reason", "status")) == [("met", "skipped"), ("met", "pending")]


def test_runs_by_hand_are_no_part_of_the_hourly_limit(admin_user):
    rule = make_rule(max_per_hour=1, concurrency="parallel")
    executions.run_now(rule, user=admin_user.username)
    happen()
    happen()
    assert Execution.objects.filter(actor="", status="pending").count() == 1


def test_an_absence_by_subject_waits_for_nobody_who_never_came():
    with time_machine.travel(BEGIN, tick=False):
        params = {"events": ["system.status"], "within_seconds": 60}
        make_rule(trigger="automation.absence", trigger_params=params, subject_path="data.who")
    for second, who in ((30, "a"), (60, "b"), (80, "a")):
        with time_machine.travel(BEGIN + timedelta(seconds=second), tick=False):
            happen(who=who)
    with time_machine.travel(BEGIN + timedelta(seconds=125), tick=False):
        judgement.judge_due(clock.now(), 10)
    assert [one.subject for one in Execution.objects.all()] == ["b"]


def test_what_was_measured_long_ago_is_not_known():
    make_rule(condition="cpu_usage > 80")
    for minutes, result in ((5, "fired"), (11, "unknown")):
        sample(BEGIN, cpu_usage=90)
        with time_machine.travel(BEGIN + timedelta(minutes=minutes), tick=False):
            happen()
        assert Verdict.objects.latest("id").result == result


def test_a_schedule_set_to_a_minute_in_its_row_is_a_minute():
    rule = make_rule(trigger="automation.schedule", trigger_params={"every_seconds": 3600})
    row = PeriodicTask.objects.get(name=f"rule {rule.uid}")
    row.interval = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.MINUTES)[0]
    row.save()
    assert Rule.objects.get(pk=rule.pk).trigger_params["every_seconds"] == 60


def test_a_clock_that_was_years_ahead_ends_no_judging():
    make_rule(**HIGH)
    watch(10, 10, begin=BEGIN + timedelta(days=1000))
    watch(10, 10, 90)
    assert told() == ["alert.requested"]
    with time_machine.travel(BEGIN + timedelta(seconds=61), tick=False):
        assert judgement.waiting_samples() == 0
        latest = series.latest()
        assert latest is not None
        assert latest[1] == {"cpu_usage": 90}


def test_what_waits_of_a_rule_that_is_switched_off_never_runs(admin_user):
    rule = make_rule(concurrency="queue")
    happen()
    by_hand = executions.run_now(rule, user=admin_user.username)
    rules.set_mode(rule, "off")
    assert set(Execution.objects.values_list("actor", "status", "error_code")) == {
        ("", "cancelled", "rule_off"),
        (by_hand.actor, "pending", ""),
    }
