"""Rules, what wakes them and what they start, for tests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from automation.models import Rule
from automation.services import rules
from config.kernel import series
from config.kernel.flow import events, jobs
from config.kernel.models import Event
from tests.support.acting.executor import work_off

NOTHING: dict[str, Any] = {"action": "acting.noop", "params": {}}


def make_rule(name: str = "A rule", **fields: Any) -> Rule:
    """A rule of the system's that is on and does nothing, unless `fields` say otherwise."""
    owner = fields.pop("owner", None)
    by_event = {"trigger": "automation.event", "trigger_params": {"events": ["system.status"]}}
    given = {"mode": "on", "actions": [NOTHING], **({} if "trigger" in fields else by_event), **fields}
    return rules.create(owner=owner, name=name, **given)


def sample(at: datetime, **values: float) -> None:
    """What was measured at that moment; dots in names are written as two underscores."""
    named: Mapping[str, float] = {name.replace("__", "."): value for name, value in values.items()}
    series.record(named, at)


def happen(**data: Any) -> Event:
    """One event of the type that `make_rule` listens to, routed and judged."""
    event = events.publish("system.status", data={"status": "x", "component": "database", "details": {}, **data})
    jobs.work("kernel.route")
    return event


def run() -> None:
    """Everything that executions can do now."""
    for _ in range(6):
        jobs.work("automation.advance")
        work_off()
