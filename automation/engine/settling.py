"""What an attempt at an item means for it: done, again later, failed. And how long a line will take. Pure; called by services.work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from config.kernel.flow.errors import StewardError, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused, Waiting
from config.kernel.limits.backoff import Policy, delay_seconds

# Whoever works an item may vanish with it this often; then the item is held to be the reason.
QUARANTINE_DEATHS = 3


@dataclass(frozen=True)
class Next:
    """What becomes of an item. `held`: nothing is wrong with it, its queue cannot be worked off here."""

    status: Literal["done", "waiting", "failed", "held"]
    code: str = ""
    message: str = ""
    wait_seconds: float | None = None
    resume_at: datetime | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    is_attempt: bool = True


def after_outcome(outcome: Outcome) -> Next:
    """What the processor's own answer means."""
    match outcome:
        case Done(output=output):
            return Next("done", result=output)
        case Waiting(resume_at=resume_at):
            return Next("waiting", resume_at=resume_at, is_attempt=False)
        case NotConfigured(what=what):
            return Next("held", "not_configured", what, is_attempt=False)
        case Refused(reason=reason):
            return Next("failed", "refused", reason)
        case Failed(code=code, message=message):
            return Next("failed", code, message)


def after_error(error: Exception, *, attempt: int, policy: Policy, chance: float = 0.0) -> Next:
    """What a raised error means: TemporaryError is tried again by the policy, everything else has failed."""
    if not isinstance(error, StewardError):
        return Next("failed", "crashed", f"The processor broke: {type(error).__name__}: {error}"[:1000])
    if not isinstance(error, TemporaryError):
        return Next("failed", error.code, error.message)
    delay = delay_seconds(policy, attempt, chance)
    if delay is None:
        return Next("failed", error.code, f"{error.message} That was attempt {attempt} of {policy.max_attempts}.")
    return Next("waiting", error.code, error.message, wait_seconds=max(delay, error.retry_after_seconds or 0.0))


def after_loss(*, deaths: int, attempts: int, policy: Policy) -> Next:
    """What it means that a worker vanished in the middle of an attempt, the `deaths`th of them."""
    if deaths >= QUARANTINE_DEATHS or attempts >= policy.max_attempts:
        said = f"Quarantined: whoever worked it vanished {deaths} time{'' if deaths == 1 else 's'}, in {attempts} of {policy.max_attempts}"
        return Next("failed", "quarantined", f"{said} attempts. Look at what it asks for before putting it back.")
    return Next("waiting", "lost", "Whoever worked it vanished; it is tried again.")


def delay_of_line(*, depth: int, per_minute: float, oldest_age_seconds: float) -> float:
    """Seconds until the last of the line is done, from recent throughput. Without any, at least as long as the first has waited."""
    if depth == 0:
        return 0.0
    return round(depth / per_minute * 60, 1) if per_minute > 0 else round(oldest_age_seconds, 1)
