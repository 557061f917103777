"""How bad, in three vocabularies: a component's health, the severity of an alert, the urgency of a message. The one table (C-24)."""

HEALTH = {"healthy": "info", "disabled": "info", "unknown": "medium", "warning": "medium", "critical": "critical"}
URGENCY = {"info": "low", "low": "low", "medium": "normal", "high": "high", "critical": "critical"}
SEVERITIES, URGENCIES = tuple(URGENCY), ("low", "normal", "high", "critical")


def severity_of(health: str) -> str:
    """What an alert of a component in this state weighs."""
    return HEALTH[health]


def urgency_of(severity: str) -> str:
    """How urgent a message about an alert of this severity is."""
    return URGENCY[severity]
