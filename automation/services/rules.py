"""Rules: made, changed, switched, deleted. The only place that writes one; called alike by API, admin, dashboard, commands and façade."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet

from automation.engine import rulings
from automation.enums import ExecutionStatus, Mode
from automation.models import Execution, Rule, RuleState
from automation.services.judging import alerts, arming
from automation.services.saving import beats, checking, feeding, hiding
from config.acts.running import invocations
from config.kernel.desk import options
from config.kernel.flow import clock, context, events
from config.kernel.flow.errors import Conflict, InvalidInput, LimitReached, NotFound
from config.kernel.watch import audit

FIELDS = (
    *("name", "about", "mode", "trigger", "trigger_params", "subject_path", "condition", "conditions", "actions", "on_failure", "severity"),
    *("timeout_seconds", "priority", "for_seconds", "cooldown_seconds", "debounce_seconds", "clear_condition", "max_per_hour"),
    *("concurrency", "max_parallel", "is_deferrable", "defer_minutes"),
)
# A change of these makes what the rule remembers worthless.
ANEW = ("trigger", "trigger_params", "condition", "conditions", "for_seconds", "subject_path", "clear_condition")


def listed() -> "QuerySet[Rule]":
    """Living rules by name, each with `next_run_at`: when its trigger wants to be asked next, None where nobody knows before."""
    found: QuerySet[Rule] = Rule.living.select_related("owner").annotate(next_run_at=Min("states__due_at")).order_by("name", "id")
    return found


def find(uid: str) -> Rule:
    """The living rule, by id or by name, with `next_run_at`. Raises NotFound."""
    found = listed().filter(uid=uid).first() or listed().filter(name=uid).first()
    if found is None:
        raise NotFound(f"There is no rule {uid!r}.")
    return found


@transaction.atomic
def create(*, owner: User | None, uid: str = "", managed_by: str = "", **fields: Any) -> Rule:
    """A new rule, off unless `mode` says otherwise. Raises InvalidInput that names the field, Forbidden for actions the owner may not run,
    Conflict for a name or id that is taken, LimitReached for too many."""
    _ensure_room()
    rule = Rule(owner=owner, managed_by=managed_by, **({"uid": uid} if uid else {}), **_known(fields))
    checking.check(rule)
    try:
        with transaction.atomic():
            rule.save(force_insert=True)
    except IntegrityError:
        taken = f"{rule.name!r} already, or one with the id {uid!r}" if uid else f"{rule.name!r} already"
        raise Conflict(f"There is a rule {taken}. Choose another name, or change that one.") from None
    _begin_anew(rule)
    _after(rule, "rule.created")
    return rule


@transaction.atomic
def update(rule: Rule, *, editor: User | None = None, **changes: Any) -> Rule:
    """Change what is named; a shipped rule becomes its editor's. Raises as `create`."""
    _ensure_free(rule)
    _await_judges(rule)
    row = _held(rule)
    before = {name: getattr(row, name) for name in FIELDS}
    _change(row, changes)
    changed = [name for name in FIELDS if getattr(row, name) != before[name]]
    if not changed:
        return row
    if not is_switched_off(changed, row.mode):
        _ensure_sound(row, editor, changed)
    row.revision, row.changed_at = row.revision + 1, clock.now()
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Conflict(f"There is a rule {row.name!r} already. Choose another name.") from None
    _remember_less(row, before, changed)
    _after(row, "rule.changed", changed=changed)
    return row


@transaction.atomic
def give(rule: Rule, *, owner: User | None) -> Rule:
    """Let its actions run with the rights of somebody else; None for the system's. Raises Forbidden when those do not suffice."""
    _ensure_free(rule)
    row = _held(rule)
    if row.owner == owner:
        return row
    row.owner = owner
    checking.check(row)
    row.revision, row.changed_at = row.revision + 1, clock.now()
    row.save()
    _after(row, "rule.changed", changed=["owner"])
    return row


def is_switched_off(changed: Iterable[str], mode: object) -> bool:
    """Whether that is all that happens: always possible, whatever is wrong with the rule and whosever it is."""
    return list(changed) == ["mode"] and mode == Mode.OFF


def set_mode(rule: Rule, mode: str, *, editor: User | None = None) -> Rule:
    """Switch it off, to shadow, or on."""
    return update(rule, editor=editor, mode=mode)


@transaction.atomic
def delete(rule: Rule) -> bool:
    """Gone from everywhere but history; what waits to be run is cancelled. False if it was gone."""
    _ensure_free(rule)
    _await_judges(rule)
    now, was_on = clock.now(), rule.mode == Mode.ON
    if not Rule.living.filter(pk=rule.pk).update(deleted_at=now, mode=Mode.OFF, changed_at=now):
        return False
    rule.deleted_at, rule.mode, rule.changed_at = now, Mode.OFF, now
    alerts.withdraw(rule, severity=rule.severity if was_on else "", why="The rule was deleted.")
    RuleState.objects.filter(rule=rule).delete()
    _cancel(Execution.objects.filter(rule=rule), now, code="rule_deleted", why="The rule was deleted.")
    _after(rule, "rule.deleted")
    return True


def dry(*, owner: User | None, **fields: Any) -> Rule:
    """A draft that is checked and not stored: for trying and back-testing before saving. Raises as `create`."""
    rule = Rule(owner=owner, **_known(fields))
    checking.check(rule)
    return rule


def changed_in(rule: Rule, fields: Mapping[str, Any]) -> Rule:
    """The rule as it would be with `fields`, checked and not stored."""
    row = Rule.objects.select_related("owner").get(pk=rule.pk)
    _change(row, fields)
    checking.check(row)
    return row


def defaults() -> dict[str, Any]:
    """What a field has when nobody says anything: for a rule that is replaced."""
    fresh = Rule()
    return {name: getattr(fresh, name) for name in FIELDS} | {"actions": []}


def shown_actions(rule: Rule) -> list[dict[str, Any]]:
    """Its actions as people may see them: secrets masked. Sent back like that, the stored ones are kept."""
    return hiding.shown(rule.steps)


def warnings(rule: Rule) -> Sequence[str]:
    """What a person should know before switching it on: loops, conflicts, what its actions lack."""
    problem = arming.arm(rule).problem
    return [*([problem] if problem else []), *(finding.text for finding in feeding.findings(rule))]


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        sentence = f"A rule has no {', '.join(unknown)}. It has: {', '.join(FIELDS)}."
        raise InvalidInput(sentence, fields={name: ["There is no such field."] for name in unknown})
    return dict(fields)


def _held(rule: Rule) -> Rule:
    """As it is stored now, for us alone until the end. Raises NotFound for one that was deleted meanwhile."""
    found: Rule | None = Rule.living.select_for_update(of=("self",)).select_related("owner").filter(pk=rule.pk).first()
    if found is None:
        raise NotFound(f"The rule {rule.name!r} was deleted meanwhile.")
    return found


def _change(row: Rule, changes: Mapping[str, Any]) -> None:
    """Set what is named; secrets that come hidden stay."""
    stored = row.steps
    for name, value in _known(changes).items():
        setattr(row, name, hiding.kept(value, stored) if name == "actions" else value)


def _ensure_sound(rule: Rule, editor: User | None, changed: Sequence[str]) -> None:
    """A shipped rule becomes its editor's; nobody gets done with the rights of an owner what he may not do himself."""
    if rule.owner is None and editor is not None and changed != ["mode"]:
        rule.owner = editor
    checking.check(rule)
    if editor is None or rule.owner == editor:
        return
    for step in rule.steps:
        invocations.ensure_may(editor.get_username(), invocations.find_action(step["action"]))


def _ensure_room() -> None:
    most = options.get("RULES_MAX")
    if Rule.living.count() >= most:
        raise LimitReached(f"There are {most} rules, which is the limit (RULES_MAX). Delete some, or raise it.", code="too_many_rules")


def _ensure_free(rule: Rule) -> None:
    if rule.managed_by:
        raise Conflict(f"The rule {rule.name!r} is kept by {rule.managed_by}; change it there.")


def _await_judges(rule: Rule) -> None:
    """Take what it remembers before the rule itself, as a sitting does: in the other order each would wait for the other."""
    list(RuleState.objects.select_for_update().filter(rule=rule).order_by("pk").values_list("pk"))


def _cancel(executions: "QuerySet[Execution]", now: datetime, *, code: str, why: str) -> None:
    """Those that wait; what runs ends."""
    waiting = executions.filter(status=ExecutionStatus.PENDING)
    waiting.update(status=ExecutionStatus.CANCELLED, ended_at=now, error_code=code, error_message=why)


def _remember_less(rule: Rule, before: Mapping[str, Any], changed: Sequence[str]) -> None:
    """Forget what a change made worthless; an alert nobody watches any more is over, and what waits of a rule that is off never runs."""
    is_anew = bool(set(changed) & set(ANEW)) or before["mode"] == Mode.OFF != rule.mode
    if before["mode"] == Mode.ON and (is_anew or rule.mode != Mode.ON or not rule.severity):
        alerts.withdraw(rule, severity=before["severity"], why="The rule was changed or switched off.")
    if before["mode"] == Mode.ON != rule.mode:
        _cancel(Execution.objects.filter(rule=rule, actor=""), clock.now(), code="rule_off", why="The rule is not on any more.")
    if is_anew:
        _begin_anew(rule)
    elif before["mode"] == Mode.SHADOW and rule.mode == Mode.ON:
        # It fired in shadow only, which holds nothing back in earnest.
        RuleState.objects.filter(rule=rule).update(is_active=False, fired_at=None)


def _begin_anew(rule: Rule) -> None:
    """Forget what it remembered, and ask its trigger when it wants to wake first."""
    RuleState.objects.filter(rule=rule).delete()
    if rule.mode == Mode.OFF:
        return
    first = rulings.begin(arming.arm(rule), clock.now())
    if first.due_at is not None or first.state:
        RuleState.objects.create(rule=rule, state=dict(first.state), due_at=first.due_at)


def _after(rule: Rule, action: str, **detail: Any) -> None:
    actor = context.current().actor
    audit.record(action, rule, name=rule.name, mode=rule.mode, **detail)
    events.publish("rule.changed", subject=rule, data={"rule_id": rule.uid, "name": rule.name, "mode": str(rule.mode), "by": actor})
    beats.follow(rule)
