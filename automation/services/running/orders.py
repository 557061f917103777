"""From a ruling to an execution: what is to be done, with which parameters, by whose right. Called by a sitting and for manual runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automation.engine.rulings import Ruling
from automation.enums import ExecutionStatus, Result
from automation.models import Execution, Rule
from automation.services.judging.arming import Ready
from automation.services.judging.verdicts import parts_as_json
from config.acts.running import invocations
from config.acts.texts import paths
from config.kernel.desk import options
from config.kernel.flow import clock, context, jobs
from config.kernel.flow.errors import StewardError
from config.kernel.models import Event

DUTY = "automation.advance"


@dataclass(frozen=True)
class Order:
    """An execution that is to run, and what its parameters may name."""

    execution: Execution
    values: Mapping[str, Any]


def draft(ready: Ready, ruling: Ruling, *, subject: str, event: Event | None, now: datetime) -> Execution:
    """The execution of a ruling, not stored yet."""
    rule, is_shadow = ready.rule, ruling.result == Result.SHADOW
    status = ExecutionStatus.PENDING if ruling.result == Result.FIRED else ExecutionStatus.SKIPPED
    return Execution(
        rule=rule,
        name=rule.name,
        key=_key(rule, ruling, subject, event) if ruling.fires else None,
        source=ready.armed.trigger.source,
        status=status,
        is_shadow=is_shadow,
        reason=ruling.reason,
        reason_text=ruling.text,
        priority=rule.priority,
        subject=subject,
        event=event,
        correlation_id=event.correlation_id if event else context.valid_correlation_id(""),
        hops=event.hops if event else 0,
        owner=rule.owner_name,
        facts=dict(ruling.facts),
        parts=parts_as_json(ruling.parts),
        on_failure=rule.on_failure,
        timeout_seconds=timeout_of(rule),
        created_at=now,
        ended_at=None if status == ExecutionStatus.PENDING else now,
    )


def timeout_of(rule: Rule | None) -> int:
    """Seconds for all actions together: the rule's, never more than the option."""
    most: int = options.get("AUTOMATION_EXECUTION_TIMEOUT")
    return min(rule.timeout_seconds or most, most) if rule else most


def fill(orders: Sequence[Order]) -> None:
    """Give each execution its actions, `${…}` filled in. One that names what is not there fails before its first action."""
    rules = Rule.objects.in_bulk([order.execution.rule_id for order in orders])
    for order in orders:
        fill_one(order.execution, rules[order.execution.rule_id].steps, order.values)


def fill_one(execution: Execution, steps: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> None:
    """As `fill`, for one."""
    facts = {**values, "rule": {"id": execution.rule.uid if execution.rule else "", "name": execution.name}, "subject": execution.subject}
    try:
        execution.actions = [{"action": step["action"], "params": paths.fill(step["params"], facts)} for step in steps]
    except StewardError as error:
        execution.actions = []
        execution.status, execution.ended_at = ExecutionStatus.FAILED, clock.now()
        execution.error_code, execution.error_message = "missing_value", error.message


def lacking(rule: Rule) -> str:
    """What the owner of the rule lacks to have its actions run, as a sentence; empty when nothing."""
    owner = rule.owner
    if owner is None:
        return ""
    if not owner.is_active:
        return f"The owner {owner.get_username()!r} is deactivated; give the rule another owner."
    for step in rule.steps:
        action = invocations.find_action(step["action"])
        if scope := invocations.lacks(owner.get_username(), action):
            return f"The owner {owner.get_username()!r} may not run {step['action']}: it needs the permission {scope!r}."
    return ""


def nudge() -> None:
    """Have pending executions started soon, after commit."""
    jobs.nudge(DUTY)


def _key(rule: Rule, ruling: Ruling, subject: str, event: Event | None) -> str:
    return f"{rule.uid}:{event.uid}" if event else f"{rule.uid}:{clock.text(ruling.slot)}:{subject}"[:250]
