"""The delays between attempts, by table."""

import pytest

from config.kernel.limits.backoff import Policy, delay_seconds

pytestmark = pytest.mark.pure

S2_SCHEDULE = (0, 60, 300, 900, 3600)


@pytest.mark.parametrize(
    ("strategy", "delays"),
    [
        ("exponential", [5, 10, 20, 40]),
        ("linear", [5, 10, 15, 20]),
        ("fixed", [5, 5, 5, 5]),
        ("fibonacci", [5, 5, 10, 15]),
    ],
)
def test_each_strategy_grows_as_the_requirement_says(strategy: str, delays: list[float]) -> None:
    policy = Policy(strategy=strategy, base_seconds=5, max_attempts=9)
    assert [delay_seconds(policy, attempt) for attempt in (1, 2, 3, 4)] == delays


def test_the_schedule_holds_the_delay_before_each_attempt() -> None:
    policy = Policy(strategy="schedule", max_attempts=5, schedule=S2_SCHEDULE)
    assert [delay_seconds(policy, attempt) for attempt in range(6)] == [0, 60, 300, 900, 3600, None]


def test_past_its_end_the_last_entry_of_a_schedule_repeats() -> None:
    policy = Policy(strategy="schedule", max_attempts=9, schedule=(0, 60))
    assert delay_seconds(policy, 7) == 60


def test_max_attempts_counts_the_first_try() -> None:
    policy = Policy(base_seconds=5, max_attempts=4)
    assert [delay_seconds(policy, attempt) for attempt in (1, 2, 3, 4, 5)] == [5, 10, 20, None, None]


def test_a_single_attempt_is_never_repeated() -> None:
    assert delay_seconds(Policy(max_attempts=1), 1) is None


@pytest.mark.parametrize("strategy", ["exponential", "fibonacci", "linear"])
def test_no_delay_exceeds_the_ceiling_however_late_the_attempt(strategy: str) -> None:
    policy = Policy(strategy=strategy, base_seconds=5, max_attempts=10**9, max_delay_seconds=600, jitter=1.0)
    assert delay_seconds(policy, 10**8, chance=1.0) == 600


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 10.0), (0.5, 11.0), (1.0, 12.0)])
def test_jitter_lengthens_by_at_most_its_share(chance: float, expected: float) -> None:
    assert delay_seconds(Policy(strategy="fixed", base_seconds=10, jitter=0.2), 1, chance) == pytest.approx(expected)


def test_an_unknown_strategy_is_a_mistake_in_the_code() -> None:
    with pytest.raises(ValueError, match="no back-off strategy 'random'"):
        delay_seconds(Policy(strategy="random"), 1)
