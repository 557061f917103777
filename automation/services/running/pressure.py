"""How busy this machine is, and what may wait because of it (adaptive scheduling). Called when executions start."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from automation.engine import holding
from automation.models import Execution
from config.acts.enums import Priority
from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import clock

# Name → the option that says from when on it is too much.
LIMITS = {"cpu_usage": "DEFER_CPU_USAGE", "memory_usage": "DEFER_MEMORY_USAGE"}
LOOK_AGAIN = timedelta(seconds=15)


def measured() -> dict[str, Any]:
    """Everything that was measured last; empty when nothing was, or too long ago to say anything of now."""
    latest, interval = series.latest(), float(options.get("AUTOMATION_CHECK_INTERVAL"))
    return dict(latest[1]) if latest and holding.is_of_now(latest[0], clock.now(), interval_seconds=interval) else {}


def look() -> str:
    """What is too busy, as a sentence; empty when nothing is, or nothing is known."""
    return _too_much(measured())


def postpone(execution: Execution, load: str, now: datetime) -> bool:
    """Whether it waits for now. High and critical ones never do, and nothing longer than its rule allows."""
    rule = execution.rule
    if not load or rule is None or not rule.is_deferrable or execution.priority >= Priority.HIGH or execution.actor:
        return False
    until = execution.created_at + timedelta(minutes=rule.defer_minutes)
    if now >= until:
        return False
    text = f"It waits, because {load}; at most until {until:%H:%M:%S} UTC."
    Execution.objects.filter(pk=execution.pk).update(held_until=min(now + LOOK_AGAIN, until), reason_text=text)
    return True


def _too_much(values: Mapping[str, Any]) -> str:
    for name, option in LIMITS.items():
        limit = options.get(option)
        if isinstance(found := values.get(name), int | float) and found > limit:
            return f"{name} = {found:g} %, which is above {limit} %"
    return ""
