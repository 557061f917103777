"""What automation announces. Declared when the app is loaded; the rows are written after migrating."""

from config.kernel.flow.events import declare

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
MOMENT = {"type": ["string", "null"], "description": "ISO 8601, UTC"}
EXECUTION = {
    "type": "object",
    "required": ["execution_id", "rule_id", "name", "status", "source"],
    "properties": {
        "execution_id": TEXT,
        "rule_id": {"type": ["string", "null"]},
        "name": TEXT,
        "status": TEXT,
        "source": TEXT,
        "started_at": MOMENT,
        "ended_at": MOMENT,
        "error_code": TEXT,
        "error_message": TEXT,
    },
}
ENDED = {
    "execution_id": "exe_01j9zq4m6v8r2n7k5c3x0b1d2f",
    "rule_id": "rul_01j9zq4m6v8r2n7k5c3x0b1d2e",
    "name": "Queue monitor",
    "status": "completed",
    "source": "queue",
    "started_at": "2026-01-31T12:00:00.000Z",
    "ended_at": "2026-01-31T12:00:02.250Z",
    "error_code": "",
    "error_message": "",
}
RULE = {
    "type": "object",
    "required": ["rule_id", "name"],
    "properties": {"rule_id": TEXT, "name": TEXT, "mode": TEXT, "by": TEXT},
}
ALERT = {
    "type": "object",
    "required": ["fingerprint", "name", "severity"],
    "properties": {
        "rule_id": TEXT,
        "fingerprint": TEXT,
        "name": TEXT,
        "service": TEXT,
        "severity": TEXT,
        "metric": TEXT,
        "value": {"type": ["number", "string", "null"]},
        "text": TEXT,
        "evidence": {"type": "array", "items": TEXT},
    },
}
RAISED = {
    "rule_id": "rul_01j9zq4m6v8r2n7k5c3x0b1d2e",
    "fingerprint": "rul_01j9zq4m6v8r2n7k5c3x0b1d2e",
    "name": "high_cpu_usage",
    "service": "recommendation-engine",
    "severity": "high",
    "metric": "cpu_usage",
    "value": 93.5,
    "text": "cpu_usage = 93.5 %, needs > 80",
    "evidence": [],
}
CHANGED = {"rule_id": "rul_01j9zq4m6v8r2n7k5c3x0b1d2e", "name": "Queue monitor", "mode": "on", "by": "admin"}

declare("execution.completed", schema=EXECUTION, example=ENDED, description="An execution of a rule ended well.")
declare(
    "execution.failed",
    schema=EXECUTION,
    example={**ENDED, "status": "failed", "error_code": "not_configured", "error_message": "SLACK_WEBHOOK_URL is not set."},
    description="An execution of a rule failed or ran out of time.",
)
declare("rule.changed", schema=RULE, example=CHANGED, description="A rule was created, changed, switched or deleted.")
declare("alert.requested", schema=ALERT, example=RAISED, description="A rule with a severity fired: an alert is to be raised.")
declare("alert.cleared", schema=ALERT, example={**RAISED, "text": ""}, description="What a rule with a severity fired for is over.")
declare(
    "automation.started",
    schema={"type": "object"},
    example={"by": "admin"},
    description="The master switch was turned on: rules act again.",
)
declare(
    "automation.stopped",
    schema={"type": "object"},
    example={"by": "admin"},
    description="The master switch was turned off: nothing starts.",
)
