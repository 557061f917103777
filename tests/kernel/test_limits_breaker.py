"""The breaker: closed, open, one trial, and what all processes see of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config.kernel.limits import breaker
from config.kernel.models import Breaker

pytestmark = pytest.mark.django_db
KEY = "endpoint:1"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as frozen:
        yield frozen


def _open() -> None:
    for _ in range(5):
        breaker.failed(KEY, threshold=5, recovery_seconds=60)


def test_an_unknown_target_passes() -> None:
    assert breaker.may_pass(KEY)
    assert breaker.state(KEY) == "closed"


def test_it_opens_at_the_threshold_and_says_so_once() -> None:
    assert [breaker.failed(KEY, threshold=5, recovery_seconds=60) for _ in range(6)] == [False, False, False, False, True, False]
    assert not breaker.may_pass(KEY)


def test_a_success_in_between_starts_the_count_again() -> None:
    for _ in range(4):
        breaker.failed(KEY, threshold=5)
    breaker.succeeded(KEY)
    assert not breaker.failed(KEY, threshold=5)
    assert breaker.state(KEY) == "closed"


def test_nothing_passes_before_the_recovery_time(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=59))
    assert not breaker.may_pass(KEY)
    assert breaker.retry_at(KEY) == START + timedelta(seconds=60)


def test_after_the_recovery_time_exactly_one_trial_passes(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=60))
    assert [breaker.may_pass(KEY) for _ in range(5)] == [True, False, False, False, False]
    assert breaker.state(KEY) == "half_open"


def test_a_good_trial_closes_it(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=60))
    breaker.may_pass(KEY)
    assert breaker.succeeded(KEY)
    assert breaker.may_pass(KEY)
    assert Breaker.objects.get(key=KEY).failures == 0


def test_a_bad_trial_opens_it_for_another_recovery_time(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=60))
    breaker.may_pass(KEY)
    assert breaker.failed(KEY, threshold=5, recovery_seconds=60)
    clock.shift(timedelta(seconds=59))
    assert not breaker.may_pass(KEY)
    clock.shift(timedelta(seconds=1))
    assert breaker.may_pass(KEY)


def test_a_trial_that_was_killed_frees_itself(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=60))
    assert breaker.may_pass(KEY, trial_seconds=40)
    clock.shift(timedelta(seconds=39))
    assert not breaker.may_pass(KEY)
    clock.shift(timedelta(seconds=1))
    assert breaker.may_pass(KEY)


def test_answers_to_calls_from_before_change_nothing_while_it_is_open(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=30))
    assert not breaker.succeeded(KEY)
    assert not breaker.failed(KEY, threshold=5, recovery_seconds=60)
    assert breaker.state(KEY) == "open"
    assert breaker.retry_at(KEY) == START + timedelta(seconds=60)


def test_a_person_may_close_it() -> None:
    _open()
    assert breaker.reset(KEY)
    assert not breaker.reset(KEY)
    assert breaker.may_pass(KEY)


def test_open_keys_names_those_that_do_not_pass_freely() -> None:
    _open()
    breaker.failed("endpoint:2", threshold=5)
    assert breaker.open_keys([KEY, "endpoint:2", "endpoint:3"]) == {KEY}


def test_a_handful_of_failures_opens_it_at_once() -> None:
    assert breaker.record(KEY, successes=0, failures=7, last_was_success=False, threshold=5) == "open"


def test_a_handful_that_ends_well_leaves_no_failure_behind() -> None:
    breaker.record(KEY, successes=0, failures=4, last_was_success=False, threshold=5)
    assert breaker.record(KEY, successes=1, failures=3, last_was_success=True, threshold=5) == ""
    assert breaker.record(KEY, successes=0, failures=4, last_was_success=False, threshold=5) == ""


def test_a_mixed_handful_that_ends_badly_counts_as_one_failure() -> None:
    breaker.record(KEY, successes=0, failures=4, last_was_success=False, threshold=5)
    assert breaker.record(KEY, successes=2, failures=3, last_was_success=False, threshold=5) == ""
    assert Breaker.objects.get(key=KEY).failures == 1


def test_a_handful_may_be_the_trial(clock: time_machine.Traveller) -> None:
    _open()
    clock.shift(timedelta(seconds=60))
    breaker.may_pass(KEY)
    assert breaker.record(KEY, successes=1, failures=0, last_was_success=True) == "closed"
