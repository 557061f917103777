"""Finds loops and conflicts between the rules that there are. Called when a rule is saved and by its page."""

from collections.abc import Mapping

from automation.engine import feeding
from automation.engine.feeding import Fed, Finding
from automation.enums import Mode
from automation.models import Rule
from config.acts.plugins.actions import actions
from config.acts.plugins.triggers import triggers
from config.kernel.flow.errors import capture


def findings(rule: Rule) -> list[Finding]:
    """Loops first, then conflicts, with all rules that are not off."""
    mine = describe(rule)
    others = [describe(other) for other in Rule.living.exclude(mode=Mode.OFF).exclude(pk=rule.pk)]
    return [*feeding.loops(mine, others), *feeding.conflicts(mine, others)]


def describe(rule: Rule) -> Fed:
    """What matters of it here; a plug-in that is gone, or that cannot read what is stored, counts for nothing."""
    trigger, hears = triggers.all().get(rule.trigger), list[str]()
    emits: list[str] = ["alert.requested", "alert.cleared"] if rule.severity else []
    works_on: dict[str, str] = {}
    with capture("feeding.trigger_failed", rule=rule.uid):
        hears += trigger.listens(rule.trigger_params) if trigger else ()
    for step in rule.steps:
        action = actions.all().get(step["action"])
        if action is None:
            continue
        with capture("feeding.action_failed", rule=rule.uid, action=step["action"]):
            emits += action.emits(step["params"])
            if target := _target(step):
                works_on[target] = action.summary(step["params"])
    return Fed(rule.uid, rule.name, tuple(hears), tuple(emits), works_on)


def _target(step: Mapping[str, object]) -> str:
    params = step["params"]
    if not isinstance(params, Mapping) or any("${" in str(value) for value in params.values()):
        return ""
    return actions.get(str(step["action"])).target(params)
