"""May this rule act now? Switch, level, owner, cooldown, hourly limit, concurrency, mode: the strictest wins. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from automation.enums import Concurrency, Mode, Reason, Result


@dataclass(frozen=True)
class Discipline:
    """What the rule says of itself."""

    mode: str
    cooldown_seconds: int
    max_per_hour: int | None
    concurrency: str


@dataclass(frozen=True)
class Standing:
    """How things stand: the switches, what its owner lacks (a sentence, or nothing), when it fired, how often, what is still open."""

    is_running: bool = True
    level: str = "intelligent"
    owner_lacks: str = ""
    fired_at: datetime | None = None
    fired_this_hour: int = 0
    open_count: int = 0


@dataclass(frozen=True)
class Decision:
    """What becomes of a waking whose condition holds."""

    result: str
    reason: str
    text: str

    @property
    def fires(self) -> bool:
        """Whether it counts as fired, in earnest or in shadow."""
        return self.result in (Result.FIRED, Result.SHADOW)


def decide(rule: Discipline, standing: Standing, now: datetime) -> Decision:
    """Fire, record only, hold or refuse, with the reason."""
    held = _held(rule, standing, now)
    if held is not None:
        return held
    if rule.mode == Mode.SHADOW:
        return Decision(Result.SHADOW, Reason.MET, "It would have fired; in shadow it only records.")
    return Decision(Result.FIRED, Reason.MET, "It fired.")


def most_at_once(concurrency: str, max_parallel: int) -> int | None:
    """How many executions of a rule may run at once; None where the later takes the place of the earlier."""
    if concurrency == Concurrency.RESTART:
        return None
    return max_parallel if concurrency == Concurrency.PARALLEL else 1


def _held(rule: Discipline, standing: Standing, now: datetime) -> Decision | None:
    if not standing.is_running:
        return Decision(Result.HELD, Reason.STOPPED, "Automation is stopped; start it to let rules act.")
    if standing.owner_lacks:
        return Decision(Result.REFUSED, Reason.OWNER, standing.owner_lacks)
    if standing.level == "manual":
        return Decision(Result.HELD, Reason.LEVEL, "The level is manual: this is a suggestion only. Run it by hand, or raise the level.")
    return _paced(rule, standing, now)


def _paced(rule: Discipline, standing: Standing, now: datetime) -> Decision | None:
    if standing.fired_at is not None and rule.cooldown_seconds:
        until = standing.fired_at + timedelta(seconds=rule.cooldown_seconds)
        if now < until:
            left = round((until - now).total_seconds())
            return Decision(Result.HELD, Reason.COOLDOWN, f"It fired less than {rule.cooldown_seconds} s ago and rests for {left} s more.")
    if rule.max_per_hour is not None and standing.fired_this_hour >= rule.max_per_hour:
        return Decision(Result.HELD, Reason.MAX_PER_HOUR, f"It fired {standing.fired_this_hour} times within an hour, which is its limit.")
    if rule.concurrency == Concurrency.SINGLE and standing.open_count and rule.mode == Mode.ON:
        return Decision(Result.HELD, Reason.CONCURRENCY, "Its earlier execution is still open.")
    return None
