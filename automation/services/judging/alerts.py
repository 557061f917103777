"""What a rule with a severity says to whoever keeps alerts: that one is wanted, and that it is over. Called by a sitting."""

from typing import Any

from automation.engine.rulings import Ruling
from automation.models import Rule
from config.kernel.flow import events


def announce(rule: Rule, subject: str, ruling: Ruling) -> None:
    """Publish `alert.requested` or, for a ruling that clears, `alert.cleared`."""
    decisive = next((part for part in ruling.parts if part.truth is not None), None)
    data: dict[str, Any] = {
        "rule_id": rule.uid,
        "fingerprint": f"{rule.uid}:{subject}" if subject else rule.uid,
        "name": rule.name,
        "service": _service(rule),
        "severity": rule.severity,
        "metric": decisive.leaf.subject if decisive else "",
        "value": _plain(decisive.value) if decisive else None,
        "text": ruling.text,
        "evidence": [],
    }
    events.publish("alert.cleared" if ruling.has_cleared else "alert.requested", data=data, subject=rule)


def _service(rule: Rule) -> str:
    """The service that its actions name, so that an alert can be seen beside it."""
    for step in rule.steps:
        for name in ("service_name", "service"):
            if isinstance(found := step["params"].get(name), str):
                return found
    return ""


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else None
