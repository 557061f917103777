"""How long a condition has held: exact to one sample, over restarts, dips and gaps."""

from datetime import UTC, datetime, timedelta

import pytest

from automation.engine import holding
from automation.engine.holding import Hold

pytestmark = pytest.mark.pure
BEGIN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def run(samples: list[tuple[float, bool | None]], *, for_seconds: float = 300, interval: float = 30) -> list[float]:
    """The seconds at which it was ripe."""
    hold, ripe = Hold(), []
    for second, truth in samples:
        hold = holding.step(hold, at=BEGIN + timedelta(seconds=second), truth=truth, interval_seconds=interval, for_seconds=for_seconds)
        if holding.is_ripe(hold, for_seconds=for_seconds):
            ripe.append(second)
    return ripe


def steady(begin: int, end: int, truth: bool | None = True, step: int = 30) -> list[tuple[float, bool | None]]:
    return [(second, truth) for second in range(begin, end + 1, step)]


def test_it_is_ripe_with_the_first_sample_at_which_it_has_held_for_so_long():
    assert run(steady(0, 360))[0] == 300


def test_without_a_time_it_is_ripe_at_once():
    assert run([(0, True)], for_seconds=0) == [0]


def test_a_dip_starts_the_clock_anew():
    assert run([*steady(0, 210), (240, False), *steady(270, 600)])[0] == 570


def test_one_sample_less_is_not_enough():
    assert run(steady(0, 270)) == []


def test_an_unknown_sample_counts_for_nothing_and_resets_nothing():
    """Held from 0 to 120, unknown at 150, known again from 180 on: the minute around the unknown one is missing."""
    assert run([*steady(0, 120), (150, None), *steady(180, 600)])[0] == 360


def test_a_gap_counts_for_nothing():
    """Everything was stopped from 120 to 240."""
    assert run([*steady(0, 120), *steady(240, 900)])[0] == 420


def test_one_late_sample_is_no_gap():
    assert run([*steady(0, 120), *steady(180, 600)])[0] == 300


def test_after_a_long_silence_nothing_of_before_counts():
    assert run([*steady(0, 270), *steady(4000, 5000)])[0] == 4300


def test_an_active_rule_stays_active_until_somebody_clears_it():
    hold = Hold(is_active=True)
    hold = holding.step(hold, at=BEGIN, truth=False, interval_seconds=30, for_seconds=0)
    assert hold.is_active


def test_a_clock_that_goes_back_starts_it_anew_and_takes_nothing_away():
    ripe = run([*steady(3600, 3690), *steady(0, 330)])
    assert ripe[0] == 300
