"""The master switch, the configuration as it is in force, and how automation stands. Called by API, dashboard, commands and façade."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from automation.enums import Mode
from automation.models import Rule
from automation.services import executions
from config.kernel.desk import options
from config.kernel.flow import context, events
from config.kernel.flow.errors import InvalidInput, NotFound
from config.kernel.watch import audit

# As the requirements name them → our options.
CONFIG = {
    "level": "AUTOMATION_LEVEL",
    "max_concurrent_actions": "ACTION_MAX_CONCURRENT",
    "retry_attempts": "ACTION_RETRIES",
    "timeout_seconds": "ACTION_TIMEOUT",
    "monitoring_interval": "AUTOMATION_CHECK_INTERVAL",
    "enable_predictive_scaling": "ENABLE_PREDICTIVE_SCALING",
    "enable_ml_optimization": "ENABLE_ML_OPTIMIZATION",
}
# The requirements' production example, as a named profile.
PROFILES: dict[str, dict[str, Any]] = {
    "default": {
        "level": "intelligent",
        "max_concurrent_actions": 10,
        "retry_attempts": 3,
        "timeout_seconds": 300,
        "monitoring_interval": 30,
        "enable_predictive_scaling": True,
        "enable_ml_optimization": True,
    },
    "production": {
        "level": "autonomous",
        "max_concurrent_actions": 50,
        "retry_attempts": 5,
        "timeout_seconds": 900,
        "monitoring_interval": 15,
        "enable_predictive_scaling": True,
        "enable_ml_optimization": True,
    },
}


@dataclass(frozen=True)
class Status:
    """How automation stands: fields and meanings are the requirements'."""

    controller_status: str
    active_rules: int
    success_rate: float
    average_execution_time: float


def start(user: User | None = None) -> bool:
    """Let rules act. False if they did already."""
    return _switch(True, user)


def stop(user: User | None = None) -> bool:
    """Nothing starts by itself any more; what runs ends, what a person starts still does, deliveries go on. False if it was stopped."""
    return _switch(False, user)


def is_running() -> bool:
    """Whether rules act."""
    return bool(options.get("AUTOMATION_RUNNING"))


def status() -> Status:
    """Running or stopped, rules that are on, and of all kept executions the share of successes and the mean time in seconds."""
    found = executions.figures()
    active = Rule.living.filter(mode=Mode.ON).count()
    return Status("running" if is_running() else "stopped", active, found.success_rate, found.average_seconds)


def config() -> dict[str, Any]:
    """The seven values in force, by the requirements' names."""
    return {name: options.get(option) for name, option in CONFIG.items()}


@transaction.atomic
def configure(changes: Mapping[str, Any], user: User | None = None) -> dict[str, Any]:
    """Set some of the seven; all that are in force then. Raises InvalidInput that names the value."""
    for name, value in changes.items():
        if name not in CONFIG:
            sentence = f"There is no {name!r}. There are: {', '.join(CONFIG)}."
            raise InvalidInput(sentence, fields={name: ["There is no such value."]})
        try:
            options.set(CONFIG[name], value, user)
        except InvalidInput as error:
            raise InvalidInput(error.message, fields={name: [error.message]}) from None
    return config()


def apply_profile(name: str, user: User | None = None) -> dict[str, Any]:
    """Set the seven to those of a profile. Raises NotFound for one that there is not."""
    if name not in PROFILES:
        raise NotFound(f"There is no profile {name!r}. There are: {', '.join(PROFILES)}.")
    return configure(PROFILES[name], user)


@transaction.atomic
def _switch(is_on: bool, user: User | None) -> bool:
    if is_running() == is_on:
        return False
    options.set("AUTOMATION_RUNNING", is_on, user)
    name = "automation.started" if is_on else "automation.stopped"
    actor = user.get_username() if user else context.current().actor
    audit.record(name, "automation:controller", by=actor)
    events.publish(name, subject="automation:controller", data={"by": actor})
    return True
