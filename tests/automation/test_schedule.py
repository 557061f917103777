"""Schedules against a clock that walks minute by minute, nights of daylight saving included."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from automation.engine import schedule
from automation.engine.schedule import Schedule

pytestmark = pytest.mark.pure
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ZONES = ("Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 2 * * *", "2026-01-31T01:59", "2026-01-31T02:00"),
        ("0 2 * * *", "2026-01-31T02:00", "2026-02-01T02:00"),
        ("*/15 * * * *", "2026-01-31T12:07", "2026-01-31T12:15"),
        ("0 0 29 2 *", "2026-01-31T12:00", "2028-02-29T00:00"),
        ("30 8 * * mon-fri", "2026-01-31T12:00", "2026-02-02T08:30"),
        ("0 0 13 * 5", "2026-02-01T00:00", "2026-02-06T00:00"),  # the thirteenth, or a Friday
    ],
)
def test_the_next_time(cron, after, expected):
    assert Schedule(cron=cron).after(at(after)) == at(expected)


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("61 * * * *", "UTC", "The field minute of `61 * * * *` cannot be read"),
        ("* * * *", "UTC", "A schedule has five fields"),
        ("0 2 * * * *", "UTC", "this has 6"),
        ("0 2 30 2 *", "UTC", "day-of-month"),
        ("0 2 * * *", "Mars/Olympus", "There is no time zone"),
        ("", "UTC", "Give either a schedule"),
    ],
)
def test_what_cannot_be_read_is_said(cron, zone, said):
    assert said in schedule.problem(Schedule(cron=cron, zone=zone), NOW)


def test_seconds_are_counted_from_midnight_so_that_all_processes_agree():
    assert Schedule(every_seconds=90).after(at("2026-01-31T00:01:00")) == at("2026-01-31T00:01:30")


def test_a_skipped_time_runs_at_the_next_valid_minute_and_a_repeated_one_once():
    nightly = Schedule(cron="30 2 * * *", zone="Europe/Brussels")
    assert nightly.after(at("2026-03-28T12:00")) == at("2026-03-29T01:00")  # 02:30 does not exist: 03:00 summer time
    autumn = list(nightly.between(at("2026-10-24T12:00"), at("2026-10-26T00:00"), most=10))
    assert autumn == [at("2026-10-25T00:30")]  # the first of the two


def test_what_begins_with_a_star_follows_real_time():
    half_hours = Schedule(cron="*/30 * * * *", zone="Europe/Brussels")
    times = list(half_hours.between(at("2026-10-24T23:00"), at("2026-10-25T03:00"), most=100))
    assert times == [at("2026-10-24T23:00") + timedelta(minutes=30 * step) for step in range(1, 9)]


def _walked(cron_minute: int, cron_hour: int, zone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """A clock of our own: every local day once, at the wanted time, or at the first minute after a gap that swallowed it."""
    tz = ZoneInfo(zone)
    day = begin.astimezone(tz).date() - timedelta(days=1)
    seen = set()
    while day <= end.astimezone(tz).date():
        naive = datetime(day.year, day.month, day.day, cron_hour, cron_minute)
        while naive.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None) != naive:
            naive += timedelta(minutes=1)
        moment = naive.replace(tzinfo=tz, fold=0).astimezone(UTC)
        if begin < moment <= end and moment not in seen:
            seen.add(moment)
            yield moment
        day += timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("minute", "hour"), [(0, 2), (30, 2), (15, 3), (45, 1), (0, 0), (59, 23)])
def test_years_of_nights_agree_with_a_clock_that_walks(zone, minute, hour, scale):
    begin = at("2011-01-01T00:00")  # the year in which Apia left a day out
    end = begin + timedelta(days=730 if scale == "full" else 400)
    ours = list(Schedule(cron=f"{minute} {hour} * * *", zone=zone).between(begin, end, most=10_000))
    assert ours == list(_walked(minute, hour, zone, begin, end))


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [("none", []), ("last", ["2026-01-31T11:00"]), ("all", ["2026-01-31T09:00", "2026-01-31T10:00", "2026-01-31T11:00"])],
)
def test_missed_times_follow_the_policy(catch_up, expected):
    found = schedule.due(
        Schedule(cron="0 * * * *"),
        after=at("2026-01-31T08:30"),
        now=at("2026-01-31T11:30"),
        catch_up=catch_up,
        window_seconds=3 * 3600,
        grace_seconds=90,
    )
    assert found == [at(text) for text in expected]


@pytest.mark.parametrize("catch_up", ["last", "none"])
def test_after_a_week_of_minutes_what_is_on_time_still_runs(catch_up):
    found = schedule.due(
        Schedule(cron="* * * * *"),
        after=at("2026-01-20T08:30"),
        now=at("2026-01-31T11:30"),
        catch_up=catch_up,
        window_seconds=10_080 * 60,
        grace_seconds=30,
    )
    assert found == [at("2026-01-31T11:30")]


def test_what_is_on_time_runs_whatever_the_policy():
    found = schedule.due(
        Schedule(cron="0 * * * *"),
        after=at("2026-01-31T08:30"),
        now=at("2026-01-31T11:01"),
        catch_up="none",
        window_seconds=3 * 3600,
        grace_seconds=90,
    )
    assert found == [at("2026-01-31T11:00")]


def test_what_was_missed_too_long_ago_is_not_made_up_for():
    found = schedule.due(
        Schedule(cron="0 * * * *"),
        after=at("2026-01-31T02:30"),
        now=at("2026-01-31T11:30"),
        catch_up="all",
        window_seconds=3600,
        grace_seconds=90,
    )
    assert found == [at("2026-01-31T11:00")]
