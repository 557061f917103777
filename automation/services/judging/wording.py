"""A rule in plain words, for those who read it rather than write it. Called by the pages of rules and the admin."""

from collections.abc import Mapping, Sequence
from typing import Any

from automation.enums import Concurrency
from automation.models import Rule
from config.acts.plugins.actions import actions
from config.acts.plugins.triggers import triggers
from config.acts.running import forms
from config.kernel.flow.errors import capture
from config.look import words

BOUNDS = {"min_": "at least", "max_": "at most"}


def when(rule: Rule) -> str:
    """What wakes it, as it follows the word when."""
    trigger = triggers.all().get(rule.trigger)
    if trigger is None:
        return f"by {rule.trigger}, which is not installed any more"
    found = ""
    with capture("wording.trigger_failed", rule=rule.uid):
        found = trigger.summary(rule.trigger_params)
    return found or trigger.title


def conditions(rule: Rule) -> list[str]:
    """What must hold, one a line."""
    found = [" ".join(rule.condition.split())] if rule.condition.strip() else []
    return found + [_limit(name, value) for name, value in (rule.conditions or {}).items()]


def steps(rule: Rule) -> list[str]:
    """What each action does, secrets hidden."""
    return [step(one) for one in rule.steps]


def step(one: Mapping[str, Any]) -> str:
    """One action in a few words."""
    action = actions.all().get(one["action"])
    if action is None:
        return f"{one['action']}, which is not installed any more"
    found = ""
    with capture("wording.action_failed", action=one["action"]):
        found = action.summary(forms.masked(action.Parameters, one["params"]))
    return found or action.title or one["action"]


def discipline(rule: Rule) -> list[str]:
    """How it restrains itself, one a line; nothing for what is left as it comes."""
    said: Sequence[tuple[object, str]] = (
        (rule.for_seconds, f"only when that has held for {words.lasting(rule.for_seconds)}"),
        (rule.debounce_seconds, f"once it has been quiet for {words.lasting(rule.debounce_seconds)}"),
        (rule.cooldown_seconds, f"then not again for {words.lasting(rule.cooldown_seconds)}"),
        (rule.max_per_hour, f"at most {rule.max_per_hour} time{'' if rule.max_per_hour == 1 else 's'} an hour"),
        (rule.clear_condition.strip(), f"anew only after {rule.clear_condition.strip()}"),
        (rule.subject_path, f"each {rule.subject_path} by itself"),
        (rule.concurrency != Concurrency.SINGLE, _concurrency(rule)),
        (rule.is_deferrable, f"waits up to {rule.defer_minutes} min while this machine is busy"),
        (rule.timeout_seconds, f"all actions within {words.lasting(rule.timeout_seconds)}"),
    )
    return [text for is_set, text in said if is_set]


def _concurrency(rule: Rule) -> str:
    if rule.concurrency == Concurrency.PARALLEL:
        return f"up to {rule.max_parallel} executions at once"
    return str(Concurrency(rule.concurrency).label)


def _limit(name: str, value: Any) -> str:
    for start, bound in BOUNDS.items():
        if name.startswith(start):
            return f"{name.removeprefix(start)} {bound} {value}"
    return f"{name} is {value}"
