"""Token buckets, in rows and (on the stand that has it) in Redis: the same answers."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as configured
from pytest_django import Settings

from config.kernel.limits import ratelimit
from config.kernel.models import Bucket

pytestmark = pytest.mark.django_db
STANDS = ["rows", "redis"] if configured.REDIS_URL else ["rows"]


@pytest.fixture(params=STANDS, autouse=True)
def stand(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(ratelimit, "_rows_until", None)
    if request.param == "rows":
        settings.REDIS_URL = ""
    return str(request.param)


@pytest.fixture
def key() -> str:
    return f"test:{secrets.token_hex(8)}"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), tick=False) as frozen:
        yield frozen


def test_the_answer_comes_from_where_it_should(stand: str, key: str) -> None:
    ratelimit.take(key, per_second=1, burst=1)
    assert Bucket.objects.filter(key=key).exists() is (stand == "rows")


def test_a_burst_passes_and_the_next_call_waits(key: str, clock: time_machine.Traveller) -> None:
    assert [ratelimit.take(key, per_second=2, burst=3) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.5)]


def test_the_bucket_fills_at_its_rate_and_no_further_than_its_burst(key: str, clock: time_machine.Traveller) -> None:
    ratelimit.take(key, per_second=2, burst=3, amount=3)
    clock.shift(timedelta(seconds=1))
    assert ratelimit.peek(key, per_second=2, burst=3) == pytest.approx(2)
    clock.shift(timedelta(hours=1))
    assert ratelimit.peek(key, per_second=2, burst=3) == pytest.approx(3)


def test_a_refused_call_takes_nothing(key: str, clock: time_machine.Traveller) -> None:
    ratelimit.take(key, per_second=1, burst=5, amount=3)
    assert ratelimit.take(key, per_second=1, burst=5, amount=4) == pytest.approx(2)
    assert ratelimit.take(key, per_second=1, burst=5, amount=2) == 0.0


def test_the_named_wait_is_long_enough(key: str, clock: time_machine.Traveller) -> None:
    ratelimit.take(key, per_second=0.3, burst=1)
    clock.shift(timedelta(seconds=ratelimit.take(key, per_second=0.3, burst=1)))
    assert ratelimit.take(key, per_second=0.3, burst=1) == 0.0


def test_more_than_a_whole_bucket_is_a_whole_bucket(key: str, clock: time_machine.Traveller) -> None:
    assert ratelimit.take(key, per_second=1, burst=5, amount=50) == 0.0
    assert ratelimit.peek(key, per_second=1, burst=5) == pytest.approx(0)


def test_take_many_grants_what_there_is(key: str, clock: time_machine.Traveller) -> None:
    assert ratelimit.take_many(key, 4, per_second=1, burst=10) == 4
    assert ratelimit.take_many(key, 100, per_second=1, burst=10) == 6
    assert ratelimit.take_many(key, 100, per_second=1, burst=10) == 0
    assert ratelimit.wait_seconds(key, per_second=1, burst=10) == pytest.approx(1)


def test_a_clock_that_goes_back_gives_nothing_away(key: str, clock: time_machine.Traveller) -> None:
    ratelimit.take(key, per_second=1, burst=2, amount=2)
    clock.shift(timedelta(seconds=-30))
    assert ratelimit.peek(key, per_second=1, burst=2) == pytest.approx(0)


def test_a_hundred_per_minute_lets_at_most_a_hundred_and_its_burst_pass(key: str, clock: time_machine.Traveller) -> None:
    granted = 0
    for _ in range(60):
        granted += ratelimit.take_many(key, 50, per_second=100 / 60, burst=10)
        clock.shift(timedelta(seconds=1))
    assert 100 <= granted <= 110


@pytest.mark.parametrize(("per_second", "burst"), [(0, 5), (1, 0), (-1, 5)])
def test_a_limit_that_is_not_positive_is_a_mistake_in_the_code(key: str, per_second: float, burst: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        ratelimit.take(key, per_second=per_second, burst=burst)


def test_while_redis_is_away_the_rows_answer(key: str, settings: Settings, clock: time_machine.Traveller) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ratelimit.take(key, per_second=1, burst=1) == 0.0
    assert ratelimit.take(key, per_second=1, burst=1) > 0
    assert Bucket.objects.get(key=key).tokens == pytest.approx(0)


def test_after_an_error_redis_is_left_alone_for_a_while(
    key: str, settings: Settings, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    asked: list[str] = []
    real = ratelimit._draw_from_redis

    def ask(*args: Any, **named: Any) -> ratelimit.Draw:
        asked.append(key)
        return real(*args, **named)

    monkeypatch.setattr(ratelimit, "_draw_from_redis", ask)
    ratelimit.take(key, per_second=9, burst=9)
    ratelimit.take(key, per_second=9, burst=9)
    assert len(asked) == 1
    clock.shift(timedelta(seconds=2))
    ratelimit.take(key, per_second=9, burst=9)
    assert len(asked) == 2
