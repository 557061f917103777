"""How long to wait before the next attempt: pure arithmetic, shared by deliveries, tasks, actions and notifications."""

from collections.abc import Sequence
from dataclasses import dataclass

STRATEGIES = ("exponential", "linear", "fixed", "fibonacci", "schedule")
# 2 ** 62 seconds is past every ceiling; a larger exponent would only cost time.
MOST_DOUBLINGS = 62


@dataclass(frozen=True)
class Policy:
    """How often and when to try. `max_attempts` counts the first try; times are seconds.

    `schedule` holds the delay before attempt 1, 2, …, each counted from the attempt before; past its end its last entry repeats.
    `jitter` (0 to 1) lengthens each delay by a random part of up to that share; `max_delay_seconds` is the ceiling of the result.
    """

    strategy: str = "exponential"
    base_seconds: float = 5
    max_attempts: int = 4
    max_delay_seconds: float = 86400
    jitter: float = 0.0
    schedule: Sequence[float] = ()


def delay_seconds(policy: Policy, attempt: int, chance: float = 0.0) -> float | None:
    """Seconds from attempt number `attempt` (from 1; 0 asks for the wait before the first) to the next; None when it was the last.

    `chance` (0 to 1) is the dice of the jitter, thrown by the caller. Raises ValueError for an unknown strategy.
    """
    if attempt >= policy.max_attempts:
        return None
    plain = _scheduled(policy, attempt) if policy.strategy == "schedule" else _grown(policy, attempt)
    return min(plain * (1 + policy.jitter * chance), policy.max_delay_seconds)


def _scheduled(policy: Policy, attempt: int) -> float:
    if not policy.schedule:
        return policy.base_seconds if attempt else 0.0
    return float(policy.schedule[min(attempt, len(policy.schedule) - 1)])


def _grown(policy: Policy, attempt: int) -> float:
    if attempt < 1:
        return 0.0
    if policy.strategy == "exponential":
        return float(policy.base_seconds * 2 ** min(attempt - 1, MOST_DOUBLINGS))
    if policy.strategy == "linear":
        return float(policy.base_seconds * attempt)
    if policy.strategy == "fixed":
        return float(policy.base_seconds)
    if policy.strategy == "fibonacci":
        return float(policy.base_seconds * _fibonacci(min(attempt, MOST_DOUBLINGS)))
    raise ValueError(f"there is no back-off strategy {policy.strategy!r}; there are: {', '.join(STRATEGIES)}")


def _fibonacci(number: int) -> int:
    before, found = 0, 1
    for _ in range(number - 1):
        before, found = found, before + found
    return found
