"""The Python names that the requirements print, each one call of a service. For shells, scripts and the roof's façade.

Whoever runs Python here may do everything: what is asked for in this way is asked for by the system.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from automation.enums import AutomationAction, AutomationTrigger, Mode
from automation.enums import Severity as AlertSeverity
from automation.models import Execution, Rule
from automation.services import control, executions, health_checks, rules
from automation.services.running import waiting
from automation.services.saving import spelling
from config.kernel.desk import options
from config.kernel.flow.errors import StewardError

__all__ = [
    "AlertSeverity",
    "AutomationAction",
    "AutomationConfig",
    "AutomationEngine",
    "AutomationLevel",
    "AutomationTrigger",
    "AutonomousController",
    "add_rule",
    "astart_autonomous_operations",
    "atrigger_manual_execution",
    "autonomous_controller",
    "get_automation_status",
    "get_execution_history",
    "start_autonomous_operations",
    "stop_autonomous_operations",
    "trigger_manual_execution",
]

WAIT_SECONDS = 600.0
# What the sources write into the controller → our options.
OVERRIDES = {"check_interval": "AUTOMATION_CHECK_INTERVAL", "max_executions": "AUTOMATION_MAX_CONCURRENT"}
SYSTEM = "system"


class AutomationLevel(StrEnum):
    """How much may start without a person; `manual` and `assisted` are ours."""

    MANUAL = "manual"
    ASSISTED = "assisted"
    INTELLIGENT = "intelligent"
    AUTONOMOUS = "autonomous"


@dataclass(frozen=True)
class AutomationConfig:
    """The seven values; as they are shipped, unless told otherwise. `AutomationEngine(config).start()` puts them in force."""

    level: AutomationLevel = AutomationLevel.INTELLIGENT
    max_concurrent_actions: int = 10
    retry_attempts: int = 3
    timeout_seconds: int = 300
    monitoring_interval: int = 30
    enable_predictive_scaling: bool = True
    enable_ml_optimization: bool = True

    @classmethod
    def in_force(cls) -> "AutomationConfig":
        """As this installation is set now."""
        found = control.config()
        return cls(**{**found, "level": AutomationLevel(found["level"])})


def start_autonomous_operations() -> bool:
    """Let rules act, in every process and after restarts. False if they did already."""
    return control.start()


def stop_autonomous_operations() -> bool:
    """Nothing starts by itself any more. False if it was stopped."""
    return control.stop()


def trigger_manual_execution(rule_id: str, *, wait_seconds: float = WAIT_SECONDS) -> bool:
    """Run a rule now and wait for its end. True only when it was completed; False for an unknown rule, a failure, or no end in time."""
    try:
        execution = executions.run_now(rules.find(rule_id), user=SYSTEM)
    except StewardError:
        return False
    return waiting.until_end(execution, seconds=wait_seconds)


def add_rule(
    name: str,
    trigger: str | AutomationTrigger,
    action: str | AutomationAction,
    parameters: Mapping[str, Any] | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> str:
    """A rule that is on; its id. `parameters` are the trigger's and the action's together. Raises InvalidInput, Conflict."""
    fields = spelling.fields(str(trigger), str(action), parameters or {})
    return rules.create(owner=None, name=name, mode=Mode.ON, conditions=dict(conditions or {}), **fields).uid


def get_automation_status() -> dict[str, Any]:
    """`controller_status, active_rules, success_rate` (0 to 1) and `average_execution_time` (seconds); numbers also without any data."""
    return asdict(control.status())


def get_execution_history(limit: int = 20) -> list[dict[str, Any]]:
    """The latest executions: `rule_id, status, started_at, error_message` (empty when none) and more."""
    rows = Execution.objects.select_related("rule").defer("actions", "facts", "parts", "rule__actions").order_by("-id")[:limit]
    return [_told(row) for row in rows]


astart_autonomous_operations = sync_to_async(start_autonomous_operations)
atrigger_manual_execution = sync_to_async(trigger_manual_execution)


class _Overrides(MutableMapping[str, Any]):
    """The sources write settings into a dictionary of the controller; here that changes the option, for all processes."""

    def __getitem__(self, name: str) -> Any:
        return options.get(OVERRIDES[name])

    def __setitem__(self, name: str, value: Any) -> None:
        options.set(OVERRIDES[name], value)

    def __delitem__(self, name: str) -> None:
        options.clear(OVERRIDES[name])

    def __iter__(self) -> Iterator[str]:
        return iter(OVERRIDES)

    def __len__(self) -> int:
        return len(OVERRIDES)


class AutonomousController:
    """The controller as the first source has it. `check_interval` (seconds) and `max_executions`, when given, are put in force."""

    def __init__(self, *, check_interval: int | None = None, max_executions: int | None = None) -> None:
        self.metrics: MutableMapping[str, Any] = _Overrides()
        given = {"check_interval": check_interval, "max_executions": max_executions}
        self.metrics.update({name: value for name, value in given.items() if value is not None})

    def health_check(self, check: Callable[[], Any]) -> Callable[[], Any]:
        """Decorator: have it run with every sample. A coroutine function will do, too."""
        if inspect.iscoroutinefunction(check):
            ordinary = async_to_sync(check)
            ordinary.__name__ = check.__name__
            health_checks.register(ordinary)
        else:
            health_checks.register(check)
        return check

    def trigger_action(self, action: str | AutomationAction, parameters: Mapping[str, Any] | None = None) -> str | None:
        """Start an action; the id of the execution. Inside of a check: None while the last one that it started is open."""
        made = health_checks.trigger_action(str(action), parameters)
        return made.uid if made else None

    def value(self, name: str) -> float | None:
        """Inside of a check: what was measured."""
        return health_checks.value(name)

    start = staticmethod(start_autonomous_operations)
    stop = staticmethod(stop_autonomous_operations)
    add_rule = staticmethod(add_rule)
    trigger_manual_execution = staticmethod(trigger_manual_execution)
    get_automation_status = staticmethod(get_automation_status)
    get_execution_history = staticmethod(get_execution_history)


autonomous_controller = AutonomousController()


class AutomationEngine:
    """The engine as the second source has it; one switch with the controller."""

    def __init__(self, config: AutomationConfig | None = None) -> None:
        self.config = config

    def start(self) -> None:
        """Put the configuration in force, where one was given, and let rules act."""
        if self.config is not None:
            control.configure(asdict(self.config))
        control.start()

    def stop(self) -> None:
        """Nothing starts by itself any more."""
        control.stop()

    def register_alert_workflow(self, config: Mapping[str, Any]) -> str:
        """An alert rule (`name, condition, severity, actions[{type, parameters}], cooldown_period`) that is on; its id."""
        fields = spelling.alert_fields(config)
        return rules.create(owner=None, trigger=spelling.THRESHOLD, **{"mode": Mode.ON, **fields}).uid

    def list_rules(self) -> list[str]:
        """The names of the rules that there are."""
        return list(Rule.living.order_by("name").values_list("name", flat=True))


def _told(row: Execution) -> dict[str, Any]:
    return {**executions.as_event(row), "started_at": row.started_at, "ended_at": row.ended_at, "is_shadow": row.is_shadow}
