"""What a rule with a severity says to whoever keeps alerts: that one is wanted, and that it is over. Called by a sitting and by `rules`."""

from typing import Any

from automation.engine.rulings import Ruling
from automation.enums import Result
from automation.models import Rule, RuleState
from config.kernel.flow import events


def announce(rule: Rule, subject: str, ruling: Ruling) -> None:
    """Publish `alert.cleared` for a ruling that clears, `alert.requested` for one that fires."""
    decisive = next((part for part in ruling.parts if part.truth is not None), None)
    metric, value = (decisive.leaf.subject, _plain(decisive.value)) if decisive else ("", None)
    for name, is_said in (("alert.cleared", ruling.has_cleared), ("alert.requested", ruling.result == Result.FIRED)):
        if is_said:
            _publish(name, rule, subject, severity=rule.severity, metric=metric, value=value, text=ruling.text)


def withdraw(rule: Rule, *, severity: str, why: str) -> None:
    """Clear every alert of the rule that is still wanted: nobody would look whether it is over any more."""
    for subject in RuleState.objects.filter(rule=rule, is_active=True).values_list("subject", flat=True) if severity else ():
        _publish("alert.cleared", rule, subject, severity=severity, text=why)


def _publish(name: str, rule: Rule, subject: str, *, severity: str, text: str, metric: str = "", value: Any = None) -> None:
    data: dict[str, Any] = {
        "rule_id": rule.uid,
        "fingerprint": f"{rule.uid}:{subject}" if subject else rule.uid,
        "name": rule.name,
        "service": _service(rule),
        "severity": severity,
        "metric": metric,
        "value": value,
        "text": text,
        "evidence": [],
    }
    events.publish(name, data=data, subject=rule)


def _service(rule: Rule) -> str:
    """The service that its actions name, so that an alert can be seen beside it."""
    for step in rule.steps:
        for name in ("service_name", "service"):
            if isinstance(found := step["params"].get(name), str):
                return found
    return ""


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else None
