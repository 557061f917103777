"""Series: what is recorded is read back, minutes and hours come of it, and the old goes."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config.kernel import series
from config.kernel.desk import options
from config.kernel.language.facts import Fact
from config.kernel.models import Rollup, Snapshot
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import known, rollups, store

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon():
    with time_machine.travel(NOW, tick=False):
        yield


def ago(**parts):
    return NOW - timedelta(**parts)


def newest():
    """The values of the newest snapshot."""
    found = series.latest()
    assert found
    return found[1]


def fill(*, hours, every=30, value=float):
    """Snapshots of `cpu` up to now, the oldest first."""
    count = hours * 3600 // every
    rows = [Snapshot(at=NOW - timedelta(seconds=every * (count - index)), values={"cpu": value(index)}) for index in range(count)]
    Snapshot.objects.bulk_create(rows)
    return rows


def roll(now=NOW):
    while rollups.Rollups().work(now, 100):
        pass


def test_what_is_recorded_is_the_latest():
    assert series.latest() is None
    series.record({"cpu": 81.0}, ago(seconds=30))
    series.record({"cpu": 82.0, "queues.default.depth": 3}, NOW)
    assert series.latest() == (NOW, {"cpu": 82.0, "queues.default.depth": 3})


def test_values_of_the_same_moment_are_one_row():
    series.record({"cpu": 81.0})
    series.record({"memory": 40.0})
    assert series.latest() == (NOW, {"cpu": 81.0, "memory": 40.0})


def test_without_a_moment_values_belong_to_the_present_tick():
    with time_machine.travel(NOW + timedelta(seconds=44), tick=False):
        assert series.record({"cpu": 1.0}) == NOW + timedelta(seconds=30)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "high"])
def test_what_is_no_number_is_a_gap_and_no_zero(value):
    series.record({"cpu": value, "memory": 0.0})
    assert newest() == {"memory": 0.0}


def test_nothing_measured_is_no_row():
    series.record({"cpu": None})
    assert series.latest() is None


def test_snapshots_come_in_order_of_time_both_ends_included():
    for minutes in (1, 3, 2, 5):
        series.record({"cpu": float(minutes)}, ago(minutes=minutes))
    assert [values["cpu"] for _, values in series.snapshots(ago(minutes=3), ago(minutes=1))] == [3.0, 2.0, 1.0]


def test_a_history_has_gaps_where_nothing_was_measured():
    for minutes, values in ((3, {"cpu": 3.0}), (2, {"memory": 1.0}), (1, {"cpu": 1.0})):
        series.record(values, ago(minutes=minutes))
    points = series.history("cpu", ago(minutes=5), NOW)
    assert [(point.at, point.value) for point in points] == [(ago(minutes=3), 3.0), (ago(minutes=1), 1.0)]


def test_minutes_and_hours_are_sums_of_what_was_measured():
    fill(hours=2)
    roll()
    minute = Rollup.objects.get(name="cpu", seconds=60, at=ago(minutes=120))
    assert (minute.count, minute.sum, minute.min, minute.max, minute.last) == (2, 1.0, 0.0, 1.0, 1.0)
    hour = Rollup.objects.get(name="cpu", seconds=3600, at=ago(hours=2))
    assert (hour.count, hour.sum, hour.min, hour.max, hour.last) == (120, float(sum(range(120))), 0.0, 119.0, 119.0)
    assert Rollup.objects.filter(seconds=60).count() == 120


def test_rolling_up_again_changes_nothing():
    fill(hours=2)
    roll()
    before = list(Rollup.objects.order_by("id").values())
    roll()
    assert list(Rollup.objects.order_by("id").values()) == before


def test_a_minute_that_has_not_ended_is_not_rolled_up():
    series.record({"cpu": 1.0}, ago(seconds=30))
    rollups.Rollups().work(ago(seconds=10), 100)
    assert not Rollup.objects.exists()


def test_a_snapshot_that_came_late_is_in_its_minute_and_its_hour():
    fill(hours=5)
    roll()
    late = ago(minutes=200, seconds=-7)
    series.record({"cpu": 10_000.0}, late)
    minute = Rollup.objects.get(name="cpu", seconds=60, at=ago(minutes=200))
    hour = Rollup.objects.get(name="cpu", seconds=3600, at=store.floor(late, 3600))
    assert (minute.count, minute.max, hour.count, hour.max) == (3, 10_000.0, 121, 10_000.0)


def test_a_late_snapshot_never_replaces_a_minute_whose_samples_are_gone():
    fill(hours=5)
    roll()
    Snapshot.objects.all().delete()
    series.record({"cpu": 10_000.0}, ago(minutes=200))
    assert Rollup.objects.get(name="cpu", seconds=60, at=ago(minutes=200)).max < 10_000


def test_after_a_standstill_everything_is_made_good_in_turns():
    fill(hours=7)
    assert rollups.Rollups().work(NOW, 100) == 100
    roll()
    assert Rollup.objects.filter(seconds=60).count() == 420
    assert Rollup.objects.filter(seconds=3600).count() == 7


def test_a_gap_of_days_does_not_stop_the_roll_up():
    series.record({"cpu": 1.0}, ago(hours=40))
    series.record({"cpu": 2.0}, ago(minutes=5))
    roll()
    assert [row.sum for row in Rollup.objects.filter(seconds=60).order_by("at")] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("wide", "step", "points"),
    [
        ({"minutes": 15}, 0, 30),
        ({"hours": 4}, 0, 480),
        ({"hours": 24}, 180, 480),
        ({"days": 7}, 3600, 168),
        ({"days": 30}, 7200, 360),
        ({"days": 400}, 72000, 480),
    ],
)
def test_the_spans_of_a_history_keep_it_near_five_hundred_points(wide, step, points):
    assert store.choose_step(NOW - timedelta(**wide), NOW) == step
    assert timedelta(**wide).total_seconds() / (step or 30) == points


def test_a_short_look_far_back_uses_what_is_still_kept():
    assert store.choose_step(ago(days=3), ago(days=3) + timedelta(minutes=15)) == 60
    assert store.choose_step(ago(days=15), ago(days=15) + timedelta(minutes=15)) == 3600


def test_a_history_of_a_day_goes_on_to_the_newest_sample():
    fill(hours=24, value=lambda index: 7.0)
    roll(ago(minutes=10))
    points = series.history("cpu", ago(hours=24), NOW)
    assert sum(point.count for point in points) == 24 * 120
    assert points[-1].at == ago(minutes=3)
    assert {(point.value, point.low, point.high) for point in points} == {(7.0, 7.0, 7.0)}
    assert len(points) == 480


def test_the_mean_of_a_span_weighs_each_sample_alike():
    for at, value in ((ago(hours=5), 1.0), (ago(hours=5, seconds=-30), 2.0), (ago(hours=5, seconds=-60), 9.0)):
        series.record({"cpu": value}, at)
    roll()
    [point] = series.history("cpu", ago(hours=6), NOW, seconds=300)
    assert (point.value, point.low, point.high, point.count) == (4.0, 1.0, 9.0, 3)


def test_what_has_outlived_its_days_is_removed_and_what_is_just_as_old_is_kept():
    moment = timedelta(microseconds=1)
    Snapshot.objects.bulk_create(Snapshot(at=at, values={"cpu": 1.0}) for at in (ago(days=2), ago(days=2) - moment))
    figures = {"name": "cpu", "count": 1, "sum": 1, "min": 1, "max": 1, "last": 1}
    for length, days in ((60, 14), (3600, 400)):
        Rollup.objects.bulk_create(Rollup(seconds=length, at=at, **figures) for at in (ago(days=days), ago(days=days) - moment))
    rollups.forget_old(NOW)
    assert [row.at for row in Snapshot.objects.all()] == [ago(days=2)]
    assert {(row.seconds, row.at) for row in Rollup.objects.all()} == {(60, ago(days=14)), (3600, ago(days=400))}


def test_how_long_samples_are_kept_is_an_option():
    series.record({"cpu": 1.0}, ago(days=3))
    options.set("SAMPLE_RETENTION_DAYS", 4)
    rollups.forget_old(NOW)
    assert Snapshot.objects.exists()
    options.set("SAMPLE_RETENTION_DAYS", 1)
    rollups.forget_old(NOW)
    assert not Snapshot.objects.exists()


class Queues(Sampler):
    def facts(self):
        return [Fact("queues.<name>.depth", about="Items that wait."), Fact("cpu_usage", unit="%")]

    def measure(self):
        return {}


@pytest.fixture
def queues(monkeypatch):
    monkeypatch.setattr(samplers, "_found", {"tests.queues": Queues()})
    known.forget()


def test_a_family_is_known_with_the_members_that_are_measured(queues):
    series.record({"queues.default.depth": 1, "cpu_usage": 2})
    assert [fact.name for fact in series.facts()] == ["queues.<name>.depth", "cpu_usage", "queues.default.depth"]


def test_a_member_that_was_never_measured_is_known_by_its_family(queues):
    assert series.fact("queues.mail.depth") == Fact("queues.mail.depth", about="Items that wait.")
    assert series.fact("queues.mail.length") is None


def test_a_sampler_that_cannot_say_what_it_measures_takes_no_other_with_it(queues, monkeypatch):
    broken = Queues()
    monkeypatch.setattr(broken, "facts", lambda: 1 / 0)
    with samplers.swapped("tests.broken", broken):
        assert series.fact("cpu_usage").unit == "%"


def test_facts_are_kept_for_a_few_seconds(queues):
    asked = []
    with samplers.swapped("tests.counting", type("Counting", (Queues,), {"facts": lambda self: asked.append(1) or []})()):
        series.facts()
        series.facts()
        with time_machine.travel(NOW + known.KEPT, tick=False):
            series.facts()
    assert len(asked) == 2
