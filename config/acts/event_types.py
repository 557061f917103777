"""What acts announces."""

from config.kernel.flow.events import declare

_TEXT = {"type": "string"}
_FIELDS = {"id": _TEXT, "waits": _TEXT, "question": _TEXT, "scope": _TEXT, "status": _TEXT, "decided_by": _TEXT, "note": _TEXT}

declare(
    "approval.requested",
    description="Something waits for a person's yes or no. `waits` names it as `kind:id`, `scope` is the permission that answering needs.",
    schema={"type": "object", "required": ["id", "waits", "question", "scope"], "properties": _FIELDS},
    example={
        "id": "apr_01",
        "waits": "invocation:inv_01",
        "question": "Restart the service web?",
        "scope": "actions:execute_critical",
        "asked_by": "execution:exe_01",
    },
)
declare(
    "approval.decided",
    description="A person answered, or nobody did in time. `status` is `approved`, `rejected` or `expired`.",
    schema={"type": "object", "required": ["id", "waits", "status"], "properties": _FIELDS},
    example={
        "id": "apr_01",
        "waits": "invocation:inv_01",
        "question": "Restart the service web?",
        "scope": "actions:execute_critical",
        "status": "approved",
        "decided_by": "ada",
        "note": "",
    },
)
