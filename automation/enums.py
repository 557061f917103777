"""Words of automation: modes, states, reasons, and which state may follow which."""

from collections.abc import Mapping
from enum import StrEnum

from django.db.models import TextChoices

from config.kernel.flow.transitions import Steps


class Mode(TextChoices):
    """Whether a rule acts, only records what it would do, or sleeps."""

    OFF = "off", "off"
    SHADOW = "shadow", "shadow"
    ON = "on", "on"


class Severity(TextChoices):
    """Of the alert that a rule raises; none: it raises none."""

    NONE = "", "no alert"
    INFO = "info", "info"
    LOW = "low", "low"
    MEDIUM = "medium", "medium"
    HIGH = "high", "high"
    CRITICAL = "critical", "critical"


class Concurrency(TextChoices):
    """What happens when a rule fires while an execution of it is still open."""

    SINGLE = "single", "one at a time, the later is skipped"
    QUEUE = "queue", "one at a time, the later waits"
    PARALLEL = "parallel", "several at once"
    RESTART = "restart", "the earlier is cancelled"


class OnFailure(TextChoices):
    """What happens to the actions after one that failed."""

    STOP = "stop", "stop"
    CONTINUE = "continue", "go on"


class ExecutionStatus(TextChoices):
    """From the waking to its end."""

    PENDING = "pending", "pending"
    RUNNING = "running", "running"
    COMPLETED = "completed", "completed"
    FAILED = "failed", "failed"
    TIMEOUT = "timeout", "timeout"
    SKIPPED = "skipped", "skipped"
    CANCELLED = "cancelled", "cancelled"


OPEN = (ExecutionStatus.PENDING, ExecutionStatus.RUNNING)
ENDED_BADLY = (ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT)
# What counts for a success rate: what was run to an end. What was skipped or cancelled says nothing of it.
JUDGED = (ExecutionStatus.COMPLETED, *ENDED_BADLY)

EXECUTION_STEPS: Steps = {
    ExecutionStatus.PENDING: frozenset(
        {ExecutionStatus.RUNNING, ExecutionStatus.SKIPPED, ExecutionStatus.CANCELLED, ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT}
    ),
    ExecutionStatus.RUNNING: frozenset(
        {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.TIMEOUT, ExecutionStatus.CANCELLED, ExecutionStatus.SKIPPED}
    ),
}


class Result(TextChoices):
    """How a rule was judged."""

    FIRED = "fired", "fired"
    SHADOW = "shadow", "would have fired"
    HELD = "held", "held"
    REFUSED = "refused", "refused"
    NOT_MET = "not_met", "not met"
    UNKNOWN = "unknown", "unknown"


class Reason(TextChoices):
    """Why, in a fixed word; the sentence stands beside it."""

    MET = "met", "the condition holds"
    NOT_MET = "not_met", "the condition does not hold"
    UNKNOWN = "unknown", "something is not known"
    TRIGGER = "trigger", "the trigger waits for more"
    FOR = "for", "not long enough yet"
    STILL = "still", "it fired already and still holds"
    DEBOUNCE = "debounce", "waiting until it is quiet"
    COOLDOWN = "cooldown", "cooling down"
    MAX_PER_HOUR = "max_per_hour", "often enough this hour"
    CONCURRENCY = "concurrency", "the earlier execution is still open"
    STOPPED = "stopped", "automation is stopped"
    LEVEL = "level", "the level lets nothing start by itself"
    OWNER = "owner", "the owner may not"
    BROKEN = "broken", "the rule cannot be judged"


class RetryStrategy(TextChoices):
    """How the waits between the attempts at an item grow."""

    EXPONENTIAL = "exponential", "exponential: 5, 10, 20, 40 …"
    LINEAR = "linear", "linear: 5, 10, 15 …"
    FIXED = "fixed", "fixed: 5, 5, 5 …"
    FIBONACCI = "fibonacci", "fibonacci: 5, 5, 10, 15, 25 …"


class ItemStatus(TextChoices):
    """Where an item of a queue stands. What failed is the error queue; archived is what was cleared from it."""

    WAITING = "waiting", "waiting"
    PROCESSING = "processing", "processing"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"
    ARCHIVED = "archived", "archived"


ITEM_STEPS: Steps = {
    ItemStatus.WAITING: frozenset({ItemStatus.PROCESSING, ItemStatus.CANCELLED}),
    ItemStatus.PROCESSING: frozenset({ItemStatus.WAITING, ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.CANCELLED}),
    ItemStatus.FAILED: frozenset({ItemStatus.WAITING, ItemStatus.ARCHIVED}),
    ItemStatus.CANCELLED: frozenset({ItemStatus.WAITING}),
    ItemStatus.ARCHIVED: frozenset({ItemStatus.WAITING}),
}


class AutomationTrigger(StrEnum):
    """Triggers by the names of the requirements; the value is the key of the trigger. Manual runs are a source, not a trigger."""

    SCHEDULED = "automation.schedule"
    QUEUE_BASED = "automation.queue"
    THRESHOLD_BASED = "automation.threshold"
    EVENT_DRIVEN = "automation.event"
    USER_ACTIVITY = "automation.activity"


class AutomationAction(StrEnum):
    """Actions by the names of the requirements; the value is the key of the action."""

    PROCESS_VIDEO = "automation.process_item"
    BATCH_PROCESS = "automation.batch_process"
    CLEANUP_CACHE = "automation.cleanup_cache"
    GENERATE_REPORT = "automation.generate_report"
    SCALE_RESOURCES = "automation.scale_resources"
    SEND_NOTIFICATION = "automation.send_notification"
    OPTIMIZE_PERFORMANCE = "automation.optimize_performance"
    BACKUP_DATA = "automation.backup_data"
    SCALE_INFRASTRUCTURE = "automation.scale_infrastructure"
    NOTIFY_SLACK = "automation.notify_slack"


ALIASES: Mapping[str, str] = {name: member.value for name, member in AutomationAction.__members__.items()}


def action_key(name: str) -> str:
    """The key of an action: `CLEANUP_CACHE`, `cleanup_cache` and `automation.cleanup_cache` are one. An unknown name stays as it is."""
    return ALIASES.get(name.strip().upper(), name.strip())


def trigger_key(name: str) -> str:
    """The key of a trigger: `SCHEDULED`, `scheduled` and `automation.schedule` are the same. An unknown name stays as it is."""
    known = {member.name: member.value for member in AutomationTrigger}
    return known.get(name.strip().upper(), name.strip())
