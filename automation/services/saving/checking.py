"""Whether a rule can be saved as it is: every field, the trigger's form, the conditions, the actions' forms, rights, quotas, loops.
Called by `rules` alone."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from django.core.exceptions import ValidationError

from automation.enums import ALIASES, Mode, action_key, trigger_key
from automation.models import Rule
from automation.services.judging import arming
from automation.services.running import orders
from automation.services.saving import feeding, hiding
from config.acts.language.conditions import Condition
from config.acts.plugins.actions import actions
from config.acts.plugins.triggers import triggers
from config.acts.running import forms, invocations
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import Forbidden, InvalidInput, LimitReached

MOST_ACTIONS, MOST_PARAMS_BYTES = 20, 65_536
# A schedule that comes round more often than this is a fast one; there is a limit for how many of those there may be.
FAST_SECONDS = 300


def check(rule: Rule) -> None:
    """Clean and check it in place. Raises InvalidInput that names the field, Forbidden, LimitReached."""
    _fields(rule)
    _trigger(rule)
    rule.actions = [_action(index, step) for index, step in enumerate(rule.steps)]
    hiding.ensure_open(rule.steps)
    if not rule.actions and not rule.severity:
        _refuse("actions", "A rule needs at least one action, or a severity: then it raises an alert.")
    _only_with_samples(rule, arming.read_conditions(rule)[0])
    _pace(rule)
    _time(rule)
    if lacks := orders.lacking(rule):
        raise Forbidden(lacks, code="owner_may_not")
    # With a condition it may well end: then the warnings say so, and EVENT_HOP_LIMIT stops one that does not.
    if rule.mode == Mode.ON and not (rule.condition.strip() or rule.conditions):
        loop = next((found for found in feeding.findings(rule) if found.kind == "loop"), None)
        if loop is not None:
            _refuse("actions", f"{loop.text} Give it a condition that those events do not meet, narrow its trigger, or keep it in shadow.")


def _fields(rule: Rule) -> None:
    rule.name = str(rule.name or "").strip()
    try:
        rule.full_clean(exclude=["owner", "trigger", "actions", "uid"], validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        fields = error.message_dict
        name, sentences = next(iter(fields.items()))
        raise InvalidInput(f"{name}: {sentences[0]}", fields=fields) from None
    for name in ("trigger_params", "conditions"):
        if not isinstance(getattr(rule, name), Mapping):
            _refuse(name, "It must be an object: names and values.")


def _trigger(rule: Rule) -> None:
    rule.trigger = trigger_key(str(rule.trigger))
    if rule.trigger not in triggers.all():
        _refuse("trigger", f"There is no trigger {rule.trigger!r}. There are: {', '.join(sorted(triggers.all()))}.")
    trigger = triggers.get(rule.trigger)
    try:
        rule.trigger_params = forms.clean(trigger.Parameters, rule.trigger_params)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={f"trigger_params.{name}": said for name, said in error.fields.items()}) from None
    if rule.debounce_seconds and trigger.wakes != "event":
        _refuse("debounce_seconds", "Only rules that wake by events can be de-bounced; use for_seconds.")
    if trigger.wakes == "sample" and not (trigger.condition(rule.trigger_params) or rule.condition.strip() or rule.conditions):
        _refuse("condition", "Nothing says when it fires: give the trigger a limit, or write a condition.")


def _only_with_samples(rule: Rule, found: Sequence[Condition]) -> None:
    """How long something holds, and that it holds no more, is told by samples: elsewhere nobody would look."""
    if triggers.get(rule.trigger).wakes == "sample":
        return
    if rule.for_seconds or any(one.for_seconds for one in found):
        field = "for_seconds" if rule.for_seconds else "condition"
        _refuse(field, "How long it must have held is told by samples only: use the trigger automation.threshold, or leave it out.")
    if rule.clear_condition.strip():
        _refuse("clear_condition", "Only a rule judged with each sample clears: use the trigger automation.threshold, or leave it out.")


def _action(index: int, step: Any) -> dict[str, Any]:
    """One action with cleaned parameters; those that hold `${…}` are checked when they are filled in."""
    where = f"actions.{index}"
    if not isinstance(step, Mapping) or not isinstance(step.get("action"), str) or set(step) - {"action", "params"}:
        _refuse(where, 'An action is {"action": key, "params": {…}}.')
    if index >= MOST_ACTIONS:
        _refuse("actions", f"A rule has at most {MOST_ACTIONS} actions.")
    key, params = action_key(step["action"]), step.get("params") or {}
    action = actions.all().get(key)
    if action is None:
        _refuse(f"{where}.action", f"There is no action {key!r}.{_nearest(key)}")
    if not isinstance(params, Mapping):
        _refuse(f"{where}.params", "Parameters are an object: names and values.")
    later = {name: value for name, value in params.items() if "${" in repr(value)}
    try:
        cleaned = forms.clean(action.Parameters, {name: value for name, value in params.items() if name not in later})
    except InvalidInput as error:
        left = {name: said for name, said in error.fields.items() if name not in later}
        if left or not later:
            fields = {f"{where}.params.{name}": said for name, said in left.items()} or {where: [error.message]}
            raise InvalidInput(f"{key}: {error.message}", fields=fields) from None
        cleaned = {name: value for name, value in params.items() if name not in later}
    return {"action": key, "params": {**cleaned, **later}}


def _pace(rule: Rule) -> None:
    """A schedule each minute is cheap; a thousand of them are not."""
    rule.pace_seconds = triggers.get(rule.trigger).pace_seconds(rule.trigger_params, clock.now())
    if rule.pace_seconds is None or rule.pace_seconds >= FAST_SECONDS or rule.mode == Mode.OFF:
        return
    most = options.get("FAST_SCHEDULES_MAX")
    fast = Rule.living.filter(pace_seconds__lt=FAST_SECONDS).exclude(mode=Mode.OFF).exclude(pk=rule.pk)
    if fast.count() >= most:
        raise LimitReached(
            f"There are {most} rules that run more often than every five minutes, which is the limit (FAST_SCHEDULES_MAX). "
            "Let this one run less often, or raise the limit.",
            code="too_many_schedules",
        )


def _time(rule: Rule) -> None:
    """The time of one action fits into the time of all."""
    whole = orders.timeout_of(rule)
    for index, step in enumerate(rule.steps):
        own = invocations.find_action(step["action"]).timeout_seconds
        if rule.timeout_seconds and own is not None and own > whole:
            _refuse(
                "timeout_seconds",
                f"{step['action']} (action {index + 1}) may take {own:g} s by itself, more than {whole} s for all together.",
            )
    if rule.timeout_seconds and rule.timeout_seconds > options.get("AUTOMATION_EXECUTION_TIMEOUT"):
        _refuse("timeout_seconds", f"It may be at most AUTOMATION_EXECUTION_TIMEOUT, {options.get('AUTOMATION_EXECUTION_TIMEOUT')} s.")


def _nearest(key: str) -> str:
    known = [*actions.all(), *ALIASES]
    near = difflib.get_close_matches(key, known, 1) or difflib.get_close_matches(key.upper(), known, 1)
    return f" Did you mean {near[0]!r}?" if near else " GET /api/v1/automation/actions lists them."


def _refuse(field: str, sentence: str) -> NoReturn:
    raise InvalidInput(sentence, fields={field: [sentence]})
