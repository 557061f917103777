"""Rules to begin with: what the form is filled in with when somebody chooses one. Used by the pages of rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One ready rule: a word for its address, a title and what it is good for, and the fields of the form."""

    key: str
    title: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def _tell(message: str, title: str) -> dict[str, Any]:
    return {"action": "automation.send_notification", "params": {"title": title, "message": message}}


EXAMPLES = (
    Example(
        "night",
        "Clean up every night",
        "At two, what is old and only copied is removed.",
        {
            "name": "Clean up every night",
            "trigger": "automation.schedule",
            "trigger_params": {"schedule": "0 2 * * *"},
            "actions": [{"action": "automation.cleanup_cache", "params": {}}],
        },
    ),
    Example(
        "busy",
        "Tell me when the processor is busy",
        "Above 80 % for five minutes, and then not again for half an hour.",
        {
            "name": "Processor is busy",
            "trigger": "automation.threshold",
            "trigger_params": {"cpu_threshold": 80},
            "for_seconds": 300,
            "cooldown_seconds": 1800,
            "actions": [_tell("The processor is at ${cpu_usage} %.", "Processor is busy")],
        },
    ),
    Example(
        "queue",
        "Work off a queue that got long",
        "While more than 50 items wait, ten are taken at a time.",
        {
            "name": "Queue is long",
            "trigger": "automation.queue",
            "trigger_params": {"queue_threshold": 50},
            "actions": [{"action": "automation.batch_process", "params": {}}],
        },
    ),
    Example(
        "errors",
        "Tell me of errors in tasks",
        "Each kind of error once, when it has been quiet for a minute.",
        {
            "name": "Error in a task",
            "trigger": "automation.event",
            "trigger_params": {"events": ["error.occurred"]},
            "subject_path": "data.error_type",
            "debounce_seconds": 60,
            "actions": [_tell("${data.error_type}: ${data.message}", "Error in a task")],
        },
    ),
)


def find(key: str) -> Example | None:
    """The example of that word."""
    return next((one for one in EXAMPLES if one.key == key), None)
