"""`manage.py executions …`: what rules did, were kept from, or would have done."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from automation.enums import ExecutionStatus
from automation.models import Execution
from automation.services import executions
from config.acts.models import Invocation
from config.kernel.flow.errors import Conflict
from config.kernel.management.deeds import Deed, DeedCommand, moment, number
from config.kernel.wire import redact

HEAVY = ("actions", "facts", "parts", "rule__actions", "event__body")


def row(execution: Execution) -> dict[str, Any]:
    """An execution as this command lists it."""
    return {
        "id": execution.uid,
        "name": execution.name,
        "status": execution.status,
        "source": execution.source,
        "shadow": execution.is_shadow,
        "reason": execution.reason,
        "created_at": execution.created_at,
        "seconds": execution.seconds,
        "error": execution.error_message,
    }


def call_row(call: Invocation) -> dict[str, Any]:
    """One call of it."""
    return {
        "id": call.uid,
        "action": call.action,
        "status": call.status,
        "attempts": call.attempts,
        "error": call.error_message,
        "output": redact.data(call.output),
    }


def listing(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Newest first."""
    rows = Execution.objects.select_related("rule", "event").defer(*HEAVY).order_by("-id")
    if given["status"]:
        rows = rows.filter(status=given["status"])
    if given["source"]:
        rows = rows.filter(source=given["source"])
    if given["rule"]:
        rows = rows.filter(Q(rule__uid=given["rule"]) | Q(name=given["rule"]))
    if given["since"]:
        rows = rows.filter(created_at__gte=given["since"])
    return [row(one) for one in rows[: given["limit"]]]


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One, with why, what and what came of it."""
    one = executions.find(given["execution"])
    return {
        **row(one),
        "rule": one.rule.uid if one.rule else "",
        "event": one.event.uid if one.event else "",
        "because": one.reason_text,
        "parts": [part["sentence"] for part in one.parts],
        "owner": one.owner,
        "actor": one.actor,
        "actions": executions.shown_actions(one),
        "calls": [call_row(call) for call in executions.invocations_of(one)],
    }


def cancel(given: Mapping[str, Any]) -> dict[str, Any]:
    """One, ended."""
    one = executions.find(given["execution"])
    if not executions.cancel(one, reason=given["reason"]):
        raise Conflict(f"The execution is {one.status}; there is nothing left to cancel.")
    return row(executions.find(one.uid))


EXECUTION = {"execution": {"help": "Id of the execution, exe_…."}}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "List and show executions of rules and health checks with every call, and cancel them."
    deeds = {
        "list": Deed(
            "Executions, newest first.",
            listing,
            {
                "--status": {"choices": ExecutionStatus.values, "default": "", "help": "Only these."},
                "--source": {"default": "", "help": "Only these: schedule, queue, threshold, event, manual, health_check …"},
                "--rule": {"default": "", "help": "Only those of a rule, by id or name."},
                "--since": {"type": moment, "default": None, "help": "Only those made since then."},
                "--limit": {"type": number(1, 10_000), "default": 20, "help": "How many at most."},
            },
        ),
        "show": Deed("One execution: why, what, and what came of it.", show, EXECUTION),
        "cancel": Deed("End an execution.", cancel, {**EXECUTION, "--reason": {"default": "", "help": "Why."}}),
    }
