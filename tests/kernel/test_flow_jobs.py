"""Nudges are hints: at most one waits, a lost one is found by the sweep, a duty runs once at a time in a process."""

import pytest
from redis.exceptions import ConnectionError as RedisAway

from config.kernel.flow import jobs, schedules
from config.kernel.plugins.contracts import duties


class Chore:
    """A duty over a number instead of rows."""

    queue = "default"

    def __init__(self, due=0):
        self.due, self.turns, self.during = due, 0, None

    def due_count(self, now):
        return self.due

    def work(self, now, limit):
        self.turns += 1
        done = min(self.due, limit)
        self.due -= done
        if self.during:
            self.during()
        return done


@pytest.fixture
def chore(monkeypatch):
    found = Chore()
    monkeypatch.delitem(jobs._turns, "tests.chore", raising=False)
    with duties.swapped("tests.chore", found):
        yield found


@pytest.fixture
def sent(monkeypatch):
    found = []
    monkeypatch.setattr(jobs, "_send", lambda key, queue: found.append((key, queue)))
    monkeypatch.setattr(jobs, "_quiet_until", None)
    jobs.started("tests.chore")
    yield found
    jobs.started("tests.chore")


@pytest.mark.django_db
def test_a_nudge_leaves_after_commit_and_only_one_waits(chore, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        jobs.nudge("tests.chore")
        jobs.nudge("tests.chore")
        assert sent == []
    assert sent == [("tests.chore", "default")]
    jobs.started("tests.chore")
    with django_capture_on_commit_callbacks(execute=True):
        jobs.nudge("tests.chore")
    assert len(sent) == 2


@pytest.mark.django_db
def test_a_broker_that_is_away_stops_nobody_and_is_not_asked_again_at_once(chore, monkeypatch, django_capture_on_commit_callbacks):
    asked = []

    def away(key, queue):
        asked.append(key)
        raise RedisAway("gone")

    monkeypatch.setattr(jobs, "_send", away)
    monkeypatch.setattr(jobs, "_quiet_until", None)
    jobs.started("tests.chore")
    with django_capture_on_commit_callbacks(execute=True):
        jobs.nudge("tests.chore")
        jobs.nudge("tests.chore")
    assert asked == ["tests.chore"]
    jobs.started("tests.chore")


@pytest.mark.django_db
def test_the_sweep_nudges_what_is_due_and_survives_a_duty_that_breaks(chore, sent):
    chore.due = 1

    class Broken(Chore):
        def due_count(self, now):
            raise ValueError("cannot count")

    with duties.swapped("tests.broken", Broken()):
        found = jobs.sweep()
    assert "tests.chore" in found
    assert ("tests.chore", "default") in sent


@pytest.mark.pure
def test_a_duty_works_until_nothing_is_left(chore):
    chore.due = 250
    assert jobs.work("tests.chore") == 250
    assert chore.turns == 3


@pytest.mark.pure
def test_a_nudge_during_a_turn_makes_another_turn(chore):
    chore.due = 1

    def nudge_once():
        chore.during = None
        chore.due += 1
        assert jobs.work("tests.chore") == 0

    chore.during = nudge_once
    assert jobs.work("tests.chore") == 2


@pytest.mark.pure
def test_a_nudge_is_one_turn_while_there_is_little_to_do(chore, sent, monkeypatch):
    monkeypatch.setattr(jobs, "_nudge_now", lambda key: None)
    chore.due = 3
    jobs.take("tests.chore")
    assert (chore.due, chore.turns) == (0, 1)


def test_under_load_a_duty_stays_and_no_further_nudge_is_sent_for_what_it_finds(chore, sent, monkeypatch):
    coming = [jobs.MANY, jobs.MANY, 0]

    def pause(seconds):
        chore.due = coming.pop(0)
        jobs._nudge_now("tests.chore")

    monkeypatch.setattr(jobs.time, "sleep", pause)
    jobs.work("tests.chore")
    jobs._nudge_now("tests.chore")
    chore.due = jobs.MANY
    jobs.take("tests.chore")
    assert (coming, chore.due, sent) == ([], 0, [("tests.chore", "default")])
    jobs._nudge_now("tests.chore")
    assert len(sent) == 2


def test_with_little_to_do_a_duty_does_not_stay(chore, monkeypatch):
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: pytest.fail("it paused"))
    jobs.work("tests.chore")
    chore.due = jobs.MANY - 1
    jobs.take("tests.chore")
    assert chore.due == 0


def test_what_comes_while_the_mark_is_taken_away_is_seen(chore, sent, monkeypatch):
    started = jobs.started

    def start(key):
        chore.due = 1  # stored just before the mark went: nobody was nudged for it
        started(key)

    monkeypatch.setattr(jobs, "started", start)
    jobs.take("tests.chore")
    assert chore.due == 0


def test_a_duty_that_raised_can_run_again(chore):
    chore.due = 1

    def fail():
        chore.during = None
        raise ValueError("once")

    chore.during = fail
    with pytest.raises(ValueError, match="once"):
        jobs.work("tests.chore")
    chore.due = 1
    assert jobs.work("tests.chore") == 1


@pytest.mark.django_db
def test_the_schedule_is_written_once_and_a_changed_row_stays():
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    sweep = PeriodicTask.objects.get(name="sweep")
    sweep.interval = IntervalSchedule.objects.create(every=77, period="seconds")
    sweep.save()
    assert schedules.load() == 0
    assert PeriodicTask.objects.get(name="sweep").interval.every == 77
    PeriodicTask.objects.filter(name="tidy").delete()
    assert schedules.load() == 1
