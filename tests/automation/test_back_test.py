"""A back-test says what the live engine did with the same recorded history: the same firings, at the same moments."""

import random
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from automation.models import Execution
from automation.services.judging import judgement, trials
from config.kernel.desk import options
from config.kernel.flow import events, jobs
from config.kernel.flow.errors import InvalidInput
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db
BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
INTERVAL = 30
THRESHOLDS = [
    {"trigger": "automation.threshold", "trigger_params": {"cpu_threshold": 80}, "cooldown_seconds": 120},
    {"trigger": "automation.threshold", "trigger_params": {"cpu_threshold": 80}, "for_seconds": 90},
    {"trigger": "automation.threshold", "trigger_params": {"cpu_threshold": 80}, "clear_condition": "cpu_usage < 70"},
    {"trigger": "automation.queue", "trigger_params": {"queue_threshold": 10}, "max_per_hour": 3},
]
BY_EVENT = {"trigger": "automation.event", "trigger_params": {"events": ["system.status"]}}
LISTENING = [
    {**BY_EVENT, "condition": "data.status == 'degraded'", "cooldown_seconds": 100},
    {**BY_EVENT, "condition": "data.status == 'degraded'", "max_per_hour": 2},
    {**BY_EVENT, "condition": "data.status == 'degraded'", "debounce_seconds": 60, "subject_path": "data.component", "max_per_hour": 4},
    {**BY_EVENT, "condition": "cpu_usage > 80", "debounce_seconds": 45},
    {"trigger": "automation.absence", "trigger_params": {"events": ["system.status"], "within_seconds": 90}, "condition": "cpu_usage > 50"},
    {"trigger": "automation.sequence", "trigger_params": {"events": ["system.status"] * 3, "within_seconds": 200}},
    {
        "trigger": "automation.absence",
        "trigger_params": {"events": ["system.status"], "within_seconds": 200},
        "subject_path": "data.component",
    },
    {
        "trigger": "automation.sequence",
        "trigger_params": {"events": ["system.*", "system.status"], "within_seconds": 40},
        "cooldown_seconds": 90,
    },
    {
        "trigger": "automation.schedule",
        "trigger_params": {"schedule": "*/7 * * * *"},
        "condition": "cpu_usage > 80",
        "cooldown_seconds": 900,
    },
    {"trigger": "automation.schedule", "trigger_params": {"every_seconds": 600}, "condition": "cpu_usage > 80", "max_per_hour": 2},
]


def moments(rng, count):
    """Mostly a sample apart, now and then a gap."""
    at = BEGIN + timedelta(seconds=5)  # no sample at the very moment of a schedule
    for _ in range(count):
        at += timedelta(seconds=INTERVAL * rng.choice([1, 1, 1, 1, 2, 4, 30]))
        yield at


def live(fields, history):
    """Make the rule, then let `history` happen: (moment, what happens). What fired, as its slots."""
    with time_machine.travel(BEGIN, tick=False):
        sample(BEGIN - timedelta(seconds=1), cpu_usage=60.0)
        judgement.judge_samples()
        rule = make_rule(concurrency="parallel", **fields)
    for at, happen in history:
        pass_time(at)
        with time_machine.travel(at, tick=False):
            happen(at)
            jobs.work("kernel.route")
            judgement.judge_samples()
    return rule, [one.key.partition(":")[2] for one in Execution.objects.filter(rule=rule, key__isnull=False).order_by("id")]


def pass_time(until):
    """A clock that is never late: each moment that was asked for, when it comes."""
    while judgement.due(until).exists():
        moment = min(at for row in judgement.due(until) for at in (row.due_at, row.quiet_at) if at is not None)
        with time_machine.travel(moment, tick=False):
            judgement.judge_due(moment, 100)


def back(rule, until):
    found = trials.back_test(rule, since=BEGIN, until=until)
    assert found.is_complete
    return [
        one["event"] or f"{one['at'].isoformat(timespec='milliseconds').replace('+00:00', 'Z')}:{one['subject']}" for one in found.firings
    ]


@pytest.mark.parametrize("fields", THRESHOLDS)
@pytest.mark.parametrize("seed", range(3))
def test_samples_fire_in_a_back_test_as_they_did(fields, seed):
    rng = random.Random(seed)
    options.set("AUTOMATION_CHECK_INTERVAL", INTERVAL)

    def measure(at):
        cpu = rng.choice([95.0] * 8 + [75.0, 60.0, None])
        sample(at, **({} if cpu is None else {"cpu_usage": cpu}), queues__default__depth=rng.choice([11.0, 11.0, 3.0]))

    history = [(at, measure) for at in moments(rng, 50)]
    rule, fired = live(fields, history)
    assert back(rule, history[-1][0]) == fired
    assert fired


@pytest.mark.parametrize("fields", LISTENING)
@pytest.mark.parametrize("seed", range(2))
def test_events_and_the_clock_fire_in_a_back_test_as_they_did(fields, seed):
    rng = random.Random(seed)
    history = []
    for at in moments(rng, 40):
        status, component, cpu = rng.choice(["degraded", "degraded", "healthy"]), rng.choice("ab"), rng.choice([90.0, 60.0])
        history.append((at, lambda at, cpu=cpu: sample(at, cpu_usage=cpu)))
        later = at + timedelta(seconds=rng.choice([1, 2, 9]))
        data = {"status": status, "component": component, "details": {}}
        history.append((later, lambda at, data=data: events.publish("system.status", data=data)))
    rule, fired = live(fields, history)
    assert back(rule, history[-1][0] + timedelta(seconds=1)) == fired
    assert fired


def test_a_window_that_is_too_long_or_empty_is_refused():
    rule = make_rule()
    for until in (BEGIN, BEGIN + timedelta(days=32)):
        with pytest.raises(InvalidInput, match="covers up to 31 days"):
            trials.back_test(rule, since=BEGIN, until=until)


def test_a_budget_ends_it_and_it_says_how_far_it_came():
    with time_machine.travel(BEGIN, tick=False):
        rule = make_rule(trigger="automation.schedule", trigger_params={"every_seconds": 60})
    found = trials.back_test(rule, since=BEGIN, until=BEGIN + timedelta(days=30), budget_seconds=0)
    assert (found.is_complete, found.covered_until, found.fired) == (False, BEGIN + timedelta(hours=1), 60)
