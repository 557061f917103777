"""How much may start without a person: pure judgement over the master switch, the level and the class of an action.
Called by `invocations` for what starts by itself, and by whoever wants to say beforehand what would happen."""

from dataclasses import dataclass
from typing import Literal

LEVELS = ("manual", "assisted", "intelligent", "autonomous")
PERMISSIONS = ("standard", "critical")


@dataclass(frozen=True)
class Ruling:
    """`run`, `ask` a person, or `refuse`; and the reason, for a verdict."""

    answer: Literal["run", "ask", "refuse"]
    reason: str = ""


RUN = Ruling("run")


def gate(level: str, permission: str, *, is_running: bool = True) -> Ruling:
    """What may become of a call that nobody made by hand. Raises ValueError for an unknown level or class."""
    if level not in LEVELS or permission not in PERMISSIONS:
        raise ValueError(f"there is no level {level!r} or class {permission!r}")
    if not is_running:
        return Ruling("refuse", "automation is stopped")
    if level == "manual":
        return Ruling("refuse", "suggestion only: the level is manual")
    if level == "assisted":
        return Ruling("ask", "the level is assisted: everything asks")
    if level == "intelligent" and permission == "critical":
        return Ruling("ask", "the level is intelligent: critical actions ask")
    return RUN
