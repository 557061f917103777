"""`manage.py rules …`: when this happens, and if that holds, then do."""

import argparse
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from automation.enums import Concurrency, Mode, OnFailure, Result, Severity, trigger_key
from automation.models import Rule, Verdict
from automation.services import executions, rules
from automation.services.judging import trials, wording
from automation.services.running import waiting
from config.acts.enums import Priority
from config.kernel.flow.errors import InvalidInput, NotFound
from config.kernel.language import json_text
from config.kernel.management.deeds import Deed, DeedCommand, json_object, moment, number, show_progress
from config.kernel.models import Event

MOST = 2_147_483_647


def json_list(text: str) -> list[Any]:
    """An argument that is a JSON list."""
    try:
        found = json_text.read(text.encode(errors="surrogateescape"), what="it")
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(error.message.rstrip(".")) from None
    if not isinstance(found, list):
        raise argparse.ArgumentTypeError('it must be a JSON list: [{"action": "CLEANUP_CACHE", "params": {}}]')
    return found


def priority(text: str) -> int:
    """An argument that is a priority."""
    words = [str(label) for label in Priority.labels]
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"it must be one of {', '.join(words)}")
    return int(Priority.values[words.index(text.lower())])


def row(rule: Rule) -> dict[str, Any]:
    """A rule as this command lists it."""
    return {
        "id": rule.uid,
        "name": rule.name,
        "mode": rule.mode,
        "wakes": wording.when(rule),
        "actions": ", ".join(step["action"] for step in rule.steps),
        "priority": Priority(rule.priority).label,
        "owner": rule.owner_name,
        "last_run_at": rule.last_fired_at,
        "next_run_at": getattr(rule, "next_run_at", None),
    }


def shown(rule: Rule) -> dict[str, Any]:
    """A rule with everything, secrets masked."""
    fields = {name: getattr(rule, name) for name in rules.FIELDS}
    extra = {"managed_by": rule.managed_by, "revision": rule.revision, "changed_at": rule.changed_at}
    return {**row(rule), **fields, "priority": Priority(rule.priority).label, "actions": rules.shown_actions(rule), **extra}


def listing(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All rules, or some."""
    found = rules.listed()
    if given["mode"]:
        found = found.filter(mode=given["mode"])
    if given["trigger"]:
        found = found.filter(trigger=trigger_key(given["trigger"]))
    return [row(one) for one in found]


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new rule."""
    owner = None
    if given["owner"] and (owner := User.objects.filter(username=given["owner"]).first()) is None:
        raise NotFound(f"There is no user {given['owner']!r}.")
    return shown(rules.find(rules.create(owner=owner, name=given["rule"], **fields_of(given)).uid))


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, changed."""
    rule = rules.find(given["rule"])
    rules.update(rule, **fields_of(given))
    return shown(rules.find(rule.uid))


def delete(given: Mapping[str, Any]) -> dict[str, Any]:
    """The rule, deleted."""
    rule = rules.find(given["rule"])
    return {"id": rule.uid, "name": rule.name, "deleted": rules.delete(rule)}


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """One execution, by hand."""
    execution = executions.run_now(rules.find(given["rule"]), user="system")
    if given["wait"]:
        waiting.until_end(execution, seconds=given["wait"])
    return executions.as_event(execution)


def attempt(given: Mapping[str, Any]) -> dict[str, Any]:
    """What it would do now, or would have done."""
    rule = rules.find(given["rule"])
    if not given["event"]:
        return vars(trials.try_now(rule, values=given["values"])).copy()
    event = Event.objects.filter(uid=given["event"]).first()
    if event is None:
        raise NotFound(f"There is no event {given['event']!r}.")
    return vars(trials.try_event(rule, event)).copy()


def back_test(given: Mapping[str, Any]) -> dict[str, Any]:
    """When it would have fired; takes its time."""
    tested = trials.back_test(rules.find(given["rule"]), since=given["since"], until=given["until"], tell=_tell)
    _tell(tested)
    return {**vars(tested), "results": dict(tested.results), "held": dict(tested.held), "is_complete": tested.is_complete}


def _tell(tested: trials.Tested) -> None:
    done, whole = (int((end - tested.since).total_seconds()) for end in (tested.covered_until, tested.until))
    show_progress(done, max(1, whole), what="Going through what is recorded")


def verdicts(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Why it fired or did not, newest first."""
    found = Verdict.objects.filter(rule=rules.find(given["rule"])).select_related("execution").order_by("-id")
    if given["result"]:
        found = found.filter(result=given["result"])
    return [
        {
            "result": one.result,
            "reason": one.reason,
            "text": one.text,
            "subject": one.subject,
            "count": one.count,
            "first_at": one.first_at,
            "last_at": one.last_at,
            "event": one.event_uid,
            "execution": one.execution.uid if one.execution else "",
        }
        for one in found[: given["limit"]]
    ]


def warnings(given: Mapping[str, Any]) -> list[str]:
    """What speaks against switching it on."""
    return list(rules.warnings(rules.find(given["rule"])))


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of the rule."""
    return {name: given[name] for name in rules.FIELDS if given.get(name) is not None}


RULE = {"rule": {"help": "Id (rul_…) or name of the rule."}}
SECONDS = {"type": number(0, MOST)}
SETTINGS: dict[str, dict[str, Any]] = {
    "--about": {"help": "What it is for, for whoever finds it firing at night."},
    "--mode": {"choices": Mode.values, "help": "off, shadow (only says what it would do) or on."},
    "--trigger": {"help": "Key or name: automation.schedule or SCHEDULED."},
    "--trigger-params": {"type": json_object, "help": 'Of the trigger, a JSON object: {"schedule": "0 2 * * *"}.'},
    "--subject-path": {"help": "Path in the event, such as data.repository: each value is judged by itself."},
    "--condition": {"help": "What must hold: cpu_usage > 80 AND duration > 5m."},
    "--conditions": {"type": json_object, "help": 'Further limits, a JSON object: {"min_queue_age_minutes": 10}.'},
    "--actions": {"type": json_list, "help": 'In their order, a JSON list: [{"action": "CLEANUP_CACHE", "params": {}}].'},
    "--on-failure": {"choices": OnFailure.values, "help": "What happens to the actions after one that failed."},
    "--severity": {"choices": Severity.values, "help": "Of the alert that it raises; empty: none."},
    "--timeout-seconds": {"type": number(1, MOST), "help": "All actions together."},
    "--priority": {"type": priority, "help": "low, normal, high or critical."},
    "--for-seconds": {**SECONDS, "help": "How long it must have held without a dip."},
    "--cooldown-seconds": {**SECONDS, "help": "How long nothing happens after it fired."},
    "--debounce-seconds": {**SECONDS, "help": "How long it must have been quiet; the last event counts."},
    "--clear-condition": {"help": "What must hold before it may fire again."},
    "--max-per-hour": {"type": number(1, MOST), "help": "How often at most."},
    "--concurrency": {"choices": Concurrency.values, "help": "What happens when it fires while an execution is open."},
    "--max-parallel": {"type": number(1, 1000), "help": "For parallel: how many at once."},
    "--defer-minutes": {"type": number(1, 10_080), "help": "How long it may wait at most while this machine is busy."},
    "--deferrable": {"action": "store_true", "default": None, "dest": "is_deferrable", "help": "It may wait while this machine is busy."},
}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "List, show, create, change, delete and run rules; say what one would do or would have done, and why it fired or did not."
    deeds = {
        "list": Deed(
            "All rules, by name.",
            listing,
            {
                "--mode": {"choices": Mode.values, "default": "", "help": "Only these."},
                "--trigger": {"default": "", "help": "Only those with this trigger, by key or name."},
            },
        ),
        "show": Deed("One rule, secrets masked.", lambda given: shown(rules.find(given["rule"])), RULE),
        "create": Deed(
            "Add a rule; off unless --mode says otherwise.",
            create,
            {
                "rule": {"help": "Its name."},
                **SETTINGS,
                "--owner": {"default": "", "help": "User with whose rights its actions run; left out: the system's."},
            },
        ),
        "set": Deed(
            "Change a rule; what is left out stays.", change, {**RULE, "--name": {"default": None, "help": "A new name."}, **SETTINGS}
        ),
        "delete": Deed("Delete a rule; its history stays.", delete, RULE),
        "run": Deed(
            "Run its actions now, whatever its trigger and conditions say.",
            run,
            {**RULE, "--wait": {"type": number(0, 86_400), "default": 0, "help": "Wait for its end, so many seconds at most."}},
        ),
        "try": Deed(
            "Say what it would do, on a past event, on values, or on what was measured last.",
            attempt,
            {
                **RULE,
                "--event": {"default": "", "help": "Id of a stored event."},
                "--values": {"type": json_object, "default": None, "help": 'A JSON object: {"cpu_usage": 91}.'},
            },
        ),
        "backtest": Deed(
            "Say when it would have fired, by everything that is recorded in a window of up to 31 days.",
            back_test,
            {
                **RULE,
                "--since": {"type": moment, "default": None, "help": "From when; seven days before its end when left out."},
                "--until": {"type": moment, "default": None, "help": "Until when; now when left out."},
            },
        ),
        "verdicts": Deed(
            "Why it fired or did not, newest first.",
            verdicts,
            {
                **RULE,
                "--result": {"choices": Result.values, "default": "", "help": "Only these."},
                "--limit": {"type": number(1, 10_000), "default": 50, "help": "How many at most."},
            },
        ),
        "warnings": Deed("What speaks against switching it on: loops and conflicts with other rules.", warnings, RULE),
    }
