"""What came of one attempt, as values. Made by `performing`, here or in a child process; read by `judging`."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from config.acts.models import Slot
from config.kernel.flow.leases import Held

Kind = Literal["done", "waiting", "failed", "refused", "not_configured", "temporary", "timeout", "crashed", "cancelled", "lost", "taken"]


@dataclass(frozen=True)
class Result:
    """`code` and `message` of a failure; `state` and `resume_at` (ISO 8601) of a wait; `log` is the end of what was printed."""

    kind: Kind
    code: str = ""
    message: str = ""
    output: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    resume_at: str = ""
    retry_after: float | None = None
    log: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """To be sent from a child."""
        return asdict(self)


@dataclass(frozen=True)
class Job:
    """An attempt that is ours: all that is needed to run it and to judge its end."""

    pk: int
    uid: str
    action: str
    params: dict[str, Any] | None
    owner: str
    caller: str
    follower: str
    key: str
    attempt: int
    state: dict[str, Any]
    output: dict[str, Any]
    undoes_pk: int | None
    retry: dict[str, Any] | None
    target: str
    timeout_seconds: float
    run_seconds: float
    correlation_id: str
    cause_uid: str
    hops: int
    due_at: datetime | None
    slot: Slot
    target_lease: Held | None = None

    @property
    def is_undo(self) -> bool:
        """Whether it takes another one back."""
        return self.undoes_pk is not None
