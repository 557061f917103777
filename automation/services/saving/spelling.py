"""Rules as the requirements spell them: one dictionary of parameters for trigger and action, and alert rules.
Called by the compatibility routes and the façade, so that both say the same."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from automation.enums import AutomationAction, AutomationTrigger, Mode, action_key, trigger_key
from automation.models import Rule
from automation.services.saving import hiding
from config.acts.plugins.actions import actions
from config.acts.plugins.triggers import triggers
from config.acts.running.forms import Form
from config.kernel.flow.errors import Conflict, InvalidInput

THRESHOLD = AutomationTrigger.THRESHOLD_BASED.value
ALERT, ALERT_ACTION = ("name", "condition", "severity", "actions", "cooldown_period", "enabled"), ("type", "parameters")
# Our name of a field → theirs, for what is said of a wrong one.
RULE_WORDS = ((r"^(actions\.\d+\.params|trigger_params)", "parameters"), (r"^actions\.\d+\.action$", "action"))
ALERT_WORDS = ((r"^(actions\.\d+)\.params", r"\1.parameters"), (r"\.action$", ".type"), (r"^cooldown_seconds$", "cooldown_period"))


def trigger_name(key: str) -> str:
    """`SCHEDULED` for `automation.schedule`; the key itself where the requirements have no name for it."""
    return AutomationTrigger(key).name if key in list(AutomationTrigger) else key


def action_name(key: str) -> str:
    """`CLEANUP_CACHE` for `automation.cleanup_cache`; the key itself where the requirements have no name for it."""
    return AutomationAction(key).name if key in list(AutomationAction) else key


def fields(trigger: str, action: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a rule. Each parameter goes to the form that knows it, to both where both do. Raises InvalidInput for one that neither
    knows, for an unknown trigger or action."""
    trigger, action = trigger_key(trigger), action_key(action)
    mine, its = _names(triggers.all(), trigger, "trigger"), _names(actions.all(), action, "action")
    unknown = {name: _unknown(name, [*mine, *its]) for name in parameters if name not in mine and name not in its}
    if unknown:
        raise InvalidInput(next(iter(unknown.values())), fields={f"parameters.{name}": [said] for name, said in unknown.items()})
    wanted = {name: value for name, value in parameters.items() if name in its}
    return {
        "trigger": trigger,
        "trigger_params": {name: value for name, value in parameters.items() if name in mine},
        "actions": [{"action": action, "params": wanted}],
    }


def changes(rule: Rule, *, trigger: str = "", action: str = "", parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As `fields`, for a rule that is there; what is left out stays. Raises Conflict for one with several actions."""
    if not (trigger or action or parameters is not None):
        return {}
    if len(rule.steps) != 1:
        raise Conflict(f"The rule {rule.name!r} has {len(rule.steps)} actions; change it at /api/v1/automation/rules/{rule.uid}.")
    given = merged(rule) if parameters is None else parameters
    found = fields(trigger or rule.trigger, action or rule.steps[0]["action"], given)
    stored = hiding.kept(found["actions"], rule.steps)
    return {**found, "actions": stored}


def merged(rule: Rule) -> dict[str, Any]:
    """Parameters of trigger and first action as one dictionary, secrets masked, what is empty left out."""
    first = hiding.shown(rule.steps[:1])
    found = {**(first[0]["params"] if first else {}), **rule.trigger_params}
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def alert_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """An alert rule (`name, condition, severity, actions[{type, parameters}], cooldown_period`) as fields of a rule; only what is given."""
    _ensure_known(given, ALERT)
    found: dict[str, Any] = {name: given[name] for name in ("name", "condition") if name in given}
    if "severity" in given:
        found["severity"] = severity(given["severity"])
    if "cooldown_period" in given:
        found["cooldown_seconds"] = given["cooldown_period"]
    if "actions" in given:
        found["actions"] = [_alert_step(f"actions.{index}", one) for index, one in enumerate(given["actions"])]
    if "enabled" in given:
        found["mode"] = Mode.ON if given["enabled"] else Mode.OFF
    return found


@contextmanager
def naming(words: Sequence[tuple[str, str]]) -> Iterator[None]:
    """What is refused inside names its fields in their words: RULE_WORDS or ALERT_WORDS."""
    try:
        yield
    except InvalidInput as error:
        fields = {reduce(lambda said, word: re.sub(word[0], word[1], said), words, name): said for name, said in error.fields.items()}
        raise InvalidInput(error.message, fields=fields, code=error.code) from None


def alert_actions(rule: Rule) -> list[dict[str, Any]]:
    """Its actions as alert rules have them, secrets masked."""
    return [{"type": _short(step["action"]), "parameters": step["params"]} for step in hiding.shown(rule.steps)]


def severity(given: Any) -> str:
    """`AlertSeverity.HIGH`, `HIGH` and `high` are the same."""
    return str(given).strip().rpartition(".")[2].lower()


def _alert_step(where: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not given.get("type"):
        raise InvalidInput(f'{where}: an action is {{"type": name, "parameters": {{…}}}}.', fields={where: ["It needs a type."]})
    _ensure_known(given, ALERT_ACTION, f"{where}.")
    return {"action": action_key(given["type"]), "params": given.get("parameters") or {}}


def _ensure_known(given: Mapping[str, Any], known: Sequence[str], where: str = "") -> None:
    if unknown := [name for name in given if name not in known]:
        sentence = f"There is no field {where}{unknown[0]}. There are: {', '.join(known)}."
        raise InvalidInput(sentence, fields={f"{where}{name}": ["There is no such field."] for name in unknown})


def _short(key: str) -> str:
    name = action_name(key)
    return name.lower() if name != key else key


def _names(found: Mapping[str, Any], key: str, what: str) -> Sequence[str]:
    if key not in found:
        known = [trigger_name(one) if what == "trigger" else action_name(one) for one in sorted(found)]
        near = difflib.get_close_matches(key.upper(), known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        sentence = f"There is no {what} {key!r}. {hint}"
        raise InvalidInput(sentence, fields={what: [sentence]})
    form: Form = found[key].Parameters
    return list(form.base_fields)  # type: ignore[attr-defined]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(dict.fromkeys(known))}."
    return f"Neither the trigger nor the action has a parameter {name!r}. {hint}"
