"""Functions that look at the whole with every sample and may start actions by themselves. Registered in code, run by the duty of samples.

A check that raises is noted as failed, once for as long as it fails, and stops no other.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from automation.enums import ExecutionStatus, Reason
from automation.models import Execution
from automation.services.running import orders
from config.acts.running import invocations
from config.kernel.desk import options
from config.kernel.flow import clock, context
from config.kernel.flow.errors import capture
from config.kernel.models import Component
from config.kernel.watch import audit

Check = Callable[[], object]


@dataclass(frozen=True)
class _Looking:
    """The check that is running in this context, and what was measured."""

    name: str
    values: Mapping[str, float]
    at: datetime


_checks: dict[str, Check] = {}
# Of this thread alone: others may ask for actions meanwhile.
_looking: ContextVar[_Looking | None] = ContextVar("steward_health_check", default=None)


def register(check: Check) -> Check:
    """Have `check` run with every sample; the name of the function is the check's. Raises ValueError for a name taken twice."""
    if check.__name__ in _checks:
        raise ValueError(f"there is a health check {check.__name__!r} already")
    _checks[check.__name__] = check
    return check


def names() -> list[str]:
    """Those that are registered."""
    return sorted(_checks)


def run_all(at: datetime, values: Mapping[str, float]) -> int:
    """Run each; how many went well."""
    good = 0
    for name, check in _checks.items():
        token = _looking.set(_Looking(name, values, at))
        try:
            with capture("health_check.failed", check=name) as caught, transaction.atomic():
                check()
        finally:
            _looking.reset(token)
        good += caught.error is None
        _note(name, caught.error)
    return good


def value(name: str) -> float | None:
    """What was measured, for a check that is running; None when it was not."""
    looking = _looking.get()
    return looking.values.get(name) if looking else None


def trigger_action(action: str, params: Mapping[str, Any] | None = None, *, summary: str = "") -> Execution | None:
    """Start an action. Inside of a check the execution's source is `health_check`, and nothing happens while its last one is open."""
    looking = _looking.get()
    name = looking.name if looking else "trigger_action"
    cleaned = invocations.clean(action, params or {})
    if looking is not None and Execution.objects.filter(name=name, source="health_check", status__in=("pending", "running")).exists():
        return None
    now, is_running = clock.now(), bool(options.get("AUTOMATION_RUNNING"))
    execution = Execution(
        name=name,
        source="health_check" if looking else "manual",
        status=ExecutionStatus.PENDING if is_running else ExecutionStatus.SKIPPED,
        reason=Reason.MET if is_running else Reason.STOPPED,
        reason_text=summary or (f"The health check {name} asked for it." if looking else "Asked for from Python."),
        actor="" if looking else context.current().actor,
        correlation_id=context.current().correlation_id or context.valid_correlation_id(""),
        timeout_seconds=orders.timeout_of(None),
        ended_at=None if is_running else now,
        created_at=now,
    )
    execution.actions = [{"action": action, "params": cleaned}]
    execution.save(force_insert=True)
    audit.record("action.requested", execution, key=action)
    orders.nudge()
    return execution


def once_while(name: str, *, is_true: bool) -> bool:
    """True only the first time in a row that `is_true` holds: so that a check acts once, not with every sample."""
    key, now = f"check:{name}", clock.now()
    row, _ = Component.objects.get_or_create(key=key, defaults={"status": "healthy", "since": now})
    status = "critical" if is_true else "healthy"
    if row.status == status:
        return False
    return bool(Component.objects.filter(pk=row.pk, status=row.status).update(status=status, since=now)) and is_true


def _note(name: str, error: Exception | None) -> None:
    """A failing check is an execution of its own, once until it works again."""
    if not once_while(f"{name}:works", is_true=error is not None):
        return
    now = clock.now()
    Execution.objects.create(
        name=name,
        source="health_check",
        status=ExecutionStatus.FAILED,
        reason=Reason.BROKEN,
        reason_text=f"The health check {name} could not look.",
        error_code="check_failed",
        error_message=f"{type(error).__name__}: {error}"[:1000],
        started_at=now,
        ended_at=now,
        created_at=now,
    )


@register
def high_cpu() -> None:
    """The built-in check of the processor: above CHECK_CPU_USAGE it has resources scaled, once until it falls.

    The one-process set-up has nothing that could be scaled: there it leaves it at looking.
    """
    if settings.EMBEDDED:
        return
    _act_above("cpu_usage", "CHECK_CPU_USAGE", "automation.scale_resources", {"scale_factor": 1.5})


@register
def high_memory() -> None:
    """The built-in check of memory: above CHECK_MEMORY_USAGE it has the cache cleaned, once until it falls."""
    _act_above("memory_usage", "CHECK_MEMORY_USAGE", "automation.cleanup_cache", {})


def _act_above(name: str, option: str, action: str, params: Mapping[str, Any]) -> None:
    found, limit = value(name), options.get(option)
    if found is None:
        return
    if once_while(name, is_true=found > limit):
        trigger_action(action, params, summary=f"{name} = {found:g} %, needs > {limit} %.")
