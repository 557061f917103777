"""What an action, a check or a step may answer. Values only; called by whoever runs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Done:
    """It happened. `output` holds what a later step, or an undo in another process, needs."""

    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Waiting:
    """Call again at `resume_at` with `state`; the wait holds no worker and is not counted in the time-out."""

    resume_at: datetime
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """It was tried and did not work. `code` is a fixed word, `message` a sentence, `output` what was reached all the same."""

    code: str
    message: str
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """It was not tried, and why."""

    reason: str


@dataclass(frozen=True)
class NotConfigured:
    """It cannot be tried here until `what` is configured. Never a success."""

    what: str


Outcome = Done | Waiting | Failed | Refused | NotConfigured
