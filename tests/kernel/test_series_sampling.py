"""The tick: one snapshot an interval whoever asks, gaps where a sampler fails, rates over the time between two ticks."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from celery import current_app
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import errors, jobs, schedules
from config.kernel.language.facts import Fact
from config.kernel.management import processes
from config.kernel.models import Lease, Snapshot, Tally
from config.kernel.plugins.contracts import duties
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import sampling, window
from config.kernel.watch import metrics

NOW = datetime(2026, 1, 31, 12, 0, 7, tzinfo=UTC)
TICK = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class Measured(Sampler):
    """Says what a test has put into `values`, or does what it has put into `instead`."""

    def __init__(self, instead=None, **values):
        self.instead, self.values = instead, values

    def facts(self):
        return [Fact(name) for name in self.values]

    def measure(self):
        return self.instead() if self.instead else self.values


class Overriding(Measured):
    overrides = True


@pytest.fixture
def only(monkeypatch):
    """A function: these samplers by name, and no others."""
    monkeypatch.setattr(sampling, "_last", {})
    monkeypatch.setattr(errors, "_logged", {})
    monkeypatch.setattr(metrics, "_memory", metrics._Memory())

    def use(**found):
        monkeypatch.setattr(samplers, "_found", {f"tests.{name}": one for name, one in found.items()})

    return use


def tick(seconds=0):
    """One tick so many seconds after NOW."""
    with time_machine.travel(NOW + timedelta(seconds=seconds), tick=False):
        return sampling.tick(NOW + timedelta(seconds=seconds))


def newest():
    """The values of the newest snapshot."""
    found = series.latest()
    assert found
    return found[1]


def test_a_tick_is_one_row_at_the_begin_of_its_interval(only):
    only(one=Measured(cpu=1.5), two=Measured(memory=2))
    assert tick()
    assert series.latest() == (TICK, {"cpu": 1.5, "memory": 2})


def test_a_second_tick_in_the_same_interval_does_nothing(only):
    only(one=Measured(cpu=1.5))
    assert [tick(), tick(10), tick(22.9), tick(23)] == [True, False, False, True]
    assert [row.at for row in Snapshot.objects.order_by("at")] == [TICK, TICK + timedelta(seconds=30)]


def test_while_another_worker_measures_nobody_does(only):
    only(one=Measured(cpu=1.5))
    with time_machine.travel(NOW, tick=False):
        assert sampling.leases.acquire("sample", seconds=5)
    assert not tick()
    assert tick(6), "its worker died: the next one measures"


def at_once(work):
    """What each of two threads got of `work`, begun at the same moment, in order of size."""
    done, both = [], threading.Barrier(2, timeout=10)

    def run():
        close_old_connections()
        both.wait()
        done.append(work())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return sorted(done)


@pytest.mark.django_db(transaction=True)
def test_two_who_measured_the_same_interval_write_one_row():
    """Where the lease ran out under a slow one, the row itself decides, and says to the second that it came second."""
    assert at_once(lambda: sampling.store.write(Snapshot(at=TICK, values={"cpu": 1.0}))) == [False, True]
    assert Snapshot.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_tick_once(only):
    only(one=Measured(cpu=1.0))
    Lease.objects.create(name="sample", until=NOW - timedelta(days=1), token="-", holder="gone")
    with time_machine.travel(NOW, tick=False):
        assert at_once(lambda: sampling.tick(NOW)) == [False, True]
    assert Snapshot.objects.count() == 1


@pytest.mark.parametrize("names", [1, 500])
def test_a_tick_costs_the_same_few_statements_for_any_number_of_names(only, names):
    only(one=Measured(**{f"name_{number}": number for number in range(names)}))
    Tally.objects.bulk_create(Tally(name="tasks_total", labels=f'{{"task":"{number}"}}', value=1) for number in range(names))
    tick()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert tick(30)
    sent = [one["sql"] for one in asked if not one["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]
    assert len(sent) <= 6, sent
    assert len(newest()) == names


def test_a_sampler_that_fails_leaves_a_gap_in_its_names_only(only, caplog):
    only(bad=Measured(lambda: 1 / 0, disk=1), good=Measured(cpu=1.5))
    assert tick()
    assert newest() == {"cpu": 1.5}
    [said] = [record for record in caplog.records if record.getMessage() == "sampler.failed"]
    assert (said.context, said.exc_info[0]) == ({"sampler": "tests.bad"}, ZeroDivisionError)


def test_a_sampler_that_goes_on_failing_is_logged_once_a_minute(only, caplog, monkeypatch):
    only(bad=Measured(lambda: 1 / 0), good=Measured(cpu=1.5))
    passed = [0.0]
    monkeypatch.setattr(errors, "time", SimpleNamespace(monotonic=lambda: passed[0]))
    counts = []
    for index, seconds in enumerate((0.0, 30.0, 59.9, 60.0)):
        passed[0] = seconds
        tick(30 * index)
        counts.append(sum(record.getMessage() == "sampler.failed" for record in caplog.records))
    assert counts == [1, 1, 1, 2]


def test_a_sampler_that_takes_too_long_is_not_waited_for_and_not_started_twice(only, caplog, monkeypatch):
    go_on, begun = threading.Event(), []

    def slow():
        begun.append(1)
        go_on.wait(20)
        return {"slow": 1.0}

    only(slow=Measured(slow), good=Measured(cpu=1.5))
    monkeypatch.setattr(sampling, "DEADLINE_SECONDS", 0.05)
    assert [tick(), tick(30)] == [True, True]
    assert (newest(), begun) == ({"cpu": 1.5}, [1])
    assert [record.context for record in caplog.records if record.getMessage() == "sampler.late"] == [{"sampler": "tests.slow"}]
    go_on.set()
    sampling._last["tests.slow"].thread.join(20)


def test_an_overriding_sampler_takes_the_place_of_a_name_and_its_gap_does_too(only):
    ours, theirs = Measured(cpu=1.0, memory=5.0), Overriding(cpu=99.0)
    only(theirs=theirs, ours=ours)
    tick()
    assert newest() == {"cpu": 99.0, "memory": 5.0}
    theirs.instead = lambda: 1 / 0
    tick(30)
    assert newest() == {"memory": 5.0}


def test_a_tick_without_any_value_writes_nothing(only):
    only(bad=Measured(lambda: 1 / 0))
    assert not tick()
    assert not Snapshot.objects.exists()


def test_after_a_tick_those_who_wait_for_samples_are_nudged(only, monkeypatch):
    nudged = []
    monkeypatch.setattr(jobs, "nudge", nudged.append)
    only(one=Measured(cpu=1.5))
    duty = SimpleNamespace(queue="default", after_samples=True, due_count=lambda now: 0, work=lambda now, limit: 0)
    with duties.swapped("tests.judge", duty):
        tick()
        tick(10)
    assert [key for key in nudged if key == "tests.judge"] == ["tests.judge"]


def test_the_sweep_finds_the_duty_due_until_its_tick_is_there(only):
    only(one=Measured(cpu=1.5))
    duty = duties.get("kernel.sample")
    with time_machine.travel(NOW, tick=False):
        assert duty.due_count(NOW) == 1
        duty.work(NOW, 100)
        assert duty.due_count(NOW) == 0
        assert duty.due_count(NOW + timedelta(seconds=23)) == 1


# --- the interval -------------------------------------------------------------------------------
def row():
    return PeriodicTask.objects.get(name="sample")


def test_the_schedule_follows_the_option_without_a_restart(monkeypatch):
    """A running beat sends every 30 s, then every 5 s: it reads its rows anew when one of them says that it changed."""
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)  # it would end the transaction of the test
    running = processes.Schedule(app=current_app)
    assert running.schedule["sample"].schedule.run_every.total_seconds() == 30
    options.set("AUTOMATION_CHECK_INTERVAL", 5)
    assert running.schedule["sample"].schedule.run_every.total_seconds() == 5
    assert row().expire_seconds == 5
    options.clear("AUTOMATION_CHECK_INTERVAL")
    assert running.schedule["sample"].schedule.run_every.total_seconds() == 30


def test_a_beat_that_starts_takes_the_interval_of_the_environment(monkeypatch):
    monkeypatch.setenv("AUTOMATION_CHECK_INTERVAL", "15")
    schedules.follow()
    assert row().interval.every == 15


def test_a_row_that_a_person_made_their_own_is_left_alone():
    PeriodicTask.objects.filter(name="sample").update(description="Ours now.")
    options.set("AUTOMATION_CHECK_INTERVAL", 5)
    assert row().interval.every == 30


def test_other_schedules_do_not_follow():
    """C-17: health looks every ten seconds, whatever the interval of samples is."""
    options.set("AUTOMATION_CHECK_INTERVAL", 5)
    assert PeriodicTask.objects.get(name="health").interval.every == 10


def test_ticks_come_at_the_new_interval(only):
    only(one=Measured(cpu=1.5))
    options.set("AUTOMATION_CHECK_INTERVAL", 5)
    assert [tick(0), tick(2), tick(3), tick(8)] == [True, False, True, True]
    assert [row.at.second for row in Snapshot.objects.order_by("at")] == [5, 10, 15]


# --- rates --------------------------------------------------------------------------------------
def rates(between):
    return {"rate": between.rate("tasks_total"), "failed": between.rate("tasks_total", outcome="failure"), "cpu": 1}


def times(between):
    name = "http_request_seconds"
    return {"mean": between.mean(name), "p95": between.quantile(name, 0.95), "cpu": 1}


def of(measure):
    """A sampler that reads the window."""
    return Measured(lambda: measure(window.current()))


def test_a_rate_is_over_the_real_time_between_two_ticks(only):
    only(one=of(rates))
    metrics.count("tasks_total", 5, task="a", outcome="success")
    tick()
    assert newest() == {"cpu": 1}, "the first tick has nothing to compare with"
    metrics.count("tasks_total", 30, task="a", outcome="success")
    metrics.count("tasks_total", 10, task="b", outcome="failure")
    tick(40)
    assert newest() == {"cpu": 1, "rate": 1.0, "failed": 0.25}


def test_a_counter_that_fell_gives_a_gap(only):
    only(one=of(lambda between: {"rate": between.rate("tasks_total"), "cpu": 1}))
    Tally.objects.create(name="tasks_total", labels='{"task":"a"}', value=50)
    tick()
    Tally.objects.update(value=10)
    tick(30)
    assert newest() == {"cpu": 1}


def test_after_a_long_standstill_there_is_no_rate(only):
    only(one=of(lambda between: {"rate": between.rate("tasks_total"), "cpu": 1}))
    tick()
    tick(11 * 60)
    assert newest() == {"cpu": 1}


def test_mean_and_quantile_are_of_the_window_alone(only):
    only(one=of(times))
    metrics.observe_many("http_request_seconds", [60.0] * 50)
    tick()
    metrics.observe_many("http_request_seconds", [0.02] * 90 + [0.2] * 10)
    tick(30)
    found = newest()
    assert found["mean"] == pytest.approx(0.038)
    # The 95th of 100 is the fifth of the ten between 0.1 and 0.25.
    assert found["p95"] == pytest.approx(0.175)
    tick(60)
    assert newest() == {"cpu": 1}, "nothing was timed: a gap"


def test_a_name_that_begins_like_another_is_another(only):
    only(one=of(lambda between: {"rise": between.increase("tasks"), "cpu": 1}))
    tick()
    metrics.count("tasks_total", 5)
    tick(30)
    assert newest() == {"rise": 0, "cpu": 1}


def test_a_machines_own_counter_gives_a_rise_from_the_second_tick_on(only):
    stands = iter([100.0, 160.0, 10.0])
    only(one=of(lambda between: {"rise": between.rise_of("sent", next(stands)), "cpu": 1}))
    risen = []
    for seconds in (0, 30, 60):
        tick(seconds)
        risen.append(newest().get("rise"))
    assert risen == [None, 60.0, None], "a machine that was started anew counts from nothing"


def test_logging_once_in_a_while_is_per_name_and_ids(caplog, monkeypatch):
    monkeypatch.setattr(errors, "_logged", {})
    with caplog.at_level(logging.ERROR):
        for key in ("a", "b", "a"):
            with errors.capture("x.failed", log_every_seconds=60, key=key):
                raise ValueError(key)
    assert [record.context["key"] for record in caplog.records] == ["a", "b"]


def test_a_snapshot_of_a_time_to_come_keeps_nobody_from_measuring(only):
    only(sound=Measured(cpu=1.0))
    Snapshot.objects.create(at=NOW + timedelta(days=1000), values={"cpu": 9.0})
    with time_machine.travel(NOW, tick=False):
        assert duties.get("kernel.sample").due_count(NOW) == 1
        assert sampling.tick(NOW)
        assert duties.get("kernel.sample").due_count(NOW) == 0
        assert series.latest() == (TICK, {"cpu": 1.0})
