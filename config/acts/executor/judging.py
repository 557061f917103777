"""From the Result of an attempt to the row's next state. No rows, no clock: `recording` hands in the time and the dice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime

from config.acts.executor.results import Job, Result
from config.acts.models import Invocation
from config.kernel.limits import backoff

Status = Invocation.Status
# What a policy that says nothing else tries again. "crashed" and "timeout" only where a repeat cannot do harm.
AGAIN = frozenset({"temporary", "taken", "timeout", "crashed"})
BROKEN_OFF = frozenset({"timeout", "crashed"})
CRASHED = "The process that ran it ended before it answered"


@dataclass(frozen=True)
class End:
    """The columns to write; `status` says what came of it."""

    job: Job
    result: Result
    status: str
    due_at: datetime | None = None
    error_code: str = ""
    error_message: str = ""
    output: dict[str, Any] | None = None
    state: dict[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the invocation is over, not only this attempt."""
        return self.status not in (Status.PENDING, Status.WAITING)


def judge(job: Job, result: Result, *, effect: str, policy: backoff.Policy, now: datetime, chance: float = 0.0) -> End:
    """What becomes of the row. `effect` is the action's; `policy` the row's or the default."""
    if result.kind == "done":
        return End(job, result, Status.COMPLETED, output=result.output)
    if result.kind == "waiting":
        return End(job, result, Status.WAITING, due_at=parse_datetime(result.resume_at) or now, state=result.state)
    if result.kind == "cancelled":
        return End(job, result, Status.CANCELLED, error_code="cancelled", error_message=result.message)
    why: dict[str, Any] = {"error_code": _code(result, effect), "error_message": result.message}
    if _again(job, result, effect) and (delay := backoff.delay_seconds(policy, job.attempt, chance)) is not None:
        due_at = now + timedelta(seconds=max(delay, result.retry_after or 0))
        return End(job, result, Status.PENDING, due_at=due_at, state=job.state, **why)
    return End(job, result, _status(result.kind), output=result.output or None, **why)


def cancelled(end: End, why: str) -> End:
    """Instead of `end`: somebody wanted it stopped, for the reason `why`."""
    return End(end.job, end.result, Status.CANCELLED, error_code="cancelled", error_message=why or "It was cancelled.")


def _again(job: Job, result: Result, effect: str) -> bool:
    if effect == "once" and result.kind in BROKEN_OFF:
        return False
    wanted = (job.retry or {}).get("on")
    if wanted is None:
        # Without a policy of its own a call is repeated for what passes by itself, and after a crash; not after its time was up.
        return result.kind in (AGAIN if job.retry is not None else {"temporary", "crashed"})
    if wanted == "any":
        return result.kind not in ("refused", "not_configured")
    return result.kind in wanted or result.code in wanted


def _status(kind: str) -> str:
    return {"timeout": Status.TIMEOUT, "refused": Status.REFUSED, "taken": Status.REFUSED}.get(kind, Status.FAILED)


def _code(result: Result, effect: str) -> str:
    if result.kind == "crashed" and effect == "once":
        return "outcome_unknown"
    return {"crashed": "crashed", "taken": "target_taken", "timeout": "timeout"}.get(result.kind, result.code or result.kind)[:40]
