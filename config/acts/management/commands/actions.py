"""`manage.py actions …`: which there are, calling one, and what became of calls."""

import time
from collections.abc import Mapping
from typing import Any

from config.acts.models import Invocation
from config.acts.plugins.actions import Action, actions
from config.acts.running import forms, invocations, slots
from config.kernel.flow.errors import Conflict
from config.kernel.management.deeds import Deed, DeedCommand, json_object, number
from config.kernel.wire import redact

PAUSE_SECONDS = 0.2


def described(key: str, action: Action) -> dict[str, Any]:
    """An action as this command lists it."""
    return {"key": key, "title": action.title, "permission": action.permission, "effect": action.effect, "can_undo": action.can_undo}


def row(found: Invocation) -> dict[str, Any]:
    """An invocation as this command shows it."""
    why = f"{found.error_code}: {found.error_message}" if found.error_code else ""
    return {"id": found.uid, "action": found.action, "status": found.status, "owner": found.owner, "attempts": found.attempts, "error": why}


def whole(found: Invocation) -> dict[str, Any]:
    """All of it, secrets masked."""
    times = {"created_at": found.created_at, "started_at": found.started_at, "ended_at": found.ended_at, "due_at": found.due_at}
    kept = {"params": invocations.masked(found), "output": redact.data(found.output), "log": found.log}
    return {**row(found), "summary": found.summary, "caller": found.caller, **kept, **times, "run_seconds": round(found.run_seconds, 3)}


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """An action, with what its parameters are."""
    action = invocations.find_action(given["key"])
    return {**described(given["key"], action), "about": action.about, "runs": action.runs, "parameters": forms.schema(action.Parameters)}


def call(given: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for it; with --wait, stay until it has ended."""
    made = invocations.call(
        given["key"], given["params"] or {}, owner=given["owner"], caller="command", key=given["once"], timeout_seconds=given["timeout"]
    )
    while given["wait"] and made.status in Invocation.OPEN:
        time.sleep(PAUSE_SECONDS)
        made = invocations.find(made.uid)
    return whole(made)


def listed(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest calls."""
    found = Invocation.objects.all()
    return [row(one) for one in (found.filter(status=given["status"]) if given["status"] else found)[: int(given["limit"])]]


def cancel(given: Mapping[str, Any]) -> dict[str, Any]:
    """End a call."""
    found = invocations.find(given["id"])
    if not invocations.cancel(found, reason=given["reason"]):
        raise Conflict(f"The call is {found.status}; there is nothing left to cancel.")
    return row(invocations.find(found.uid))


def undo(given: Mapping[str, Any]) -> dict[str, Any]:
    """Take back what a call did."""
    return row(invocations.undo(invocations.find(given["id"]), owner=given["owner"], caller="command"))


def held(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Who holds a slot."""
    found = slots.holders(given["pool"])
    return [{"slot": one.number, "for": one.held_for, "holder": one.holder, "since": one.since, "until": one.until} for one in found]


ID = {"id": {"help": "The call's id, `inv_…`."}}
OWNER = {"--owner": {"default": "system", "help": "Whose rights it runs with: a user name; the default is system."}}


class Command(DeedCommand):
    """The running workers do the work."""

    help = "List actions, call one, and see, cancel or undo calls."
    deeds = {
        "list": Deed("Which actions there are.", lambda given: [described(key, one) for key, one in sorted(actions.all().items())]),
        "show": Deed("One action and its parameters.", show, {"key": {"help": "The action's key."}}),
        "call": Deed(
            "Have an action run.",
            call,
            {
                "key": {"help": "The action's key, as `list` shows it."},
                "--params": {"type": json_object, "metavar": "JSON", "help": "Its parameters, a JSON object."},
                **OWNER,
                "--once": {"metavar": "KEY", "help": "Called again under this key, it is the same call."},
                "--timeout": {"type": number(0.1, 86400, kind=float), "metavar": "SECONDS", "help": "The longest it may run."},
                "--wait": {"action": "store_true", "help": "Stay until it has ended."},
            },
        ),
        "calls": Deed(
            "The newest calls.",
            listed,
            {
                "--status": {"choices": Invocation.Status.values, "help": "Only these."},
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "result": Deed("One call and what became of it.", lambda given: whole(invocations.find(given["id"])), ID),
        "cancel": Deed(
            "End a call, at once or as soon as its process is stopped.", cancel, {**ID, "--reason": {"default": "", "help": "Why."}}
        ),
        "undo": Deed("Take back what a completed call did.", undo, {**ID, **OWNER}),
        "slots": Deed("Who holds a slot now.", held, {"--pool": {"default": "actions", "help": "`actions` or `executions`."}}),
    }
