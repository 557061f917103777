"""Rules made ready to be judged, remembered by this process until any rule changes. Called by judgement, rules and trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Sum

from automation.engine import limits
from automation.engine.discipline import Discipline
from automation.engine.rulings import Armed
from automation.enums import Mode
from automation.models import Rule
from automation.services.judging import catalogue
from config.acts.language import conditions
from config.acts.language.conditions import Condition
from config.acts.plugins.triggers import Trigger, triggers
from config.kernel.flow import clock, events
from config.kernel.flow.errors import InvalidInput, capture
from config.kernel.models import Event

# What judging needs; the actions are read when a rule fires, since decrypting them costs more than judging.
DEFERRED = ("actions", "about")
# What a rule lacks may come back without any rule being changed: a name, a plug-in. Then it is looked for again.
AGAIN = timedelta(minutes=1)


@dataclass(frozen=True)
class Ready:
    """One rule, and what it is judged by."""

    rule: Rule
    armed: Armed


class _Kept:
    """The rules as they were at a moment, and who of them listens to what; never changed, but replaced."""

    def __init__(self, ready: Sequence[Ready] = (), version: tuple[Any, ...] = (), at: datetime | None = None) -> None:
        self.ready, self.version, self.at = ready, version, at
        self._listening: dict[tuple[str, str], Sequence[Ready]] = {}

    def is_current(self, version: tuple[Any, ...], now: datetime) -> bool:
        """Whether no rule was changed since, and nothing is to be looked for again."""
        is_whole = not any(one.armed.problem for one in self.ready)
        return version == self.version and (is_whole or (self.at is not None and timedelta(0) <= now - self.at < AGAIN))

    def listening(self, name: str, origin: str) -> Sequence[Ready]:
        """Who listens to events of this type."""
        if (name, origin) not in self._listening:
            self._listening[name, origin] = [one for one in self.ready if events.matches(one.armed.hears, name, origin=origin)]
        return self._listening[name, origin]


_kept = _Kept()


def ready() -> Sequence[Ready]:
    """Every rule that is on or in shadow, by priority and age. Made anew when a rule was changed, by whichever process."""
    return _current().ready


def listening(heard: Sequence[Event]) -> list[tuple[Event, Ready]]:
    """Each event with each rule that listens to it."""
    rules = _current()
    return [(event, one) for event in heard for one in rules.listening(event.type, events.origin_of(event))]


def _current() -> _Kept:
    global _kept  # noqa: PLW0603 - remembered per process, on purpose
    rows = Rule.living.filter(mode__in=(Mode.ON, Mode.SHADOW))
    # A revision counts however the clock went, and in whichever order two changes were committed.
    version, now = tuple(rows.aggregate(Max("changed_at"), Count("id"), Sum("revision")).values()), clock.now()
    if not _kept.is_current(version, now):
        known = catalogue.known()
        found = rows.select_related("owner").defer(*DEFERRED).order_by("-priority", "id")
        _kept = _Kept([Ready(rule, arm(rule, known)) for rule in found], version, now)
    return _kept


def forget() -> None:
    """Read everything anew the next time. For tests."""
    global _kept  # noqa: PLW0603
    _kept = _Kept()


def arm(rule: Rule, known: Mapping[str, Any] | None = None) -> Armed:
    """The rule ready to be judged; one that cannot be says why in `problem` and never fires."""
    trigger = triggers.all().get(rule.trigger)
    discipline = Discipline(rule.mode, rule.cooldown_seconds, rule.max_per_hour, rule.concurrency)
    if trigger is None:
        missing = f"The trigger {rule.trigger} is not installed any more."
        return Armed(rule.pk, rule.uid, rule.name, Trigger(), {}, (), discipline, problem=missing)
    hears, found, clear, said = tuple[str, ...](), tuple[Condition, ...](), None, ""
    with capture("rule.unreadable", rule=rule.uid) as caught:
        hears = tuple(trigger.listens(rule.trigger_params))
        try:
            found, clear = read_conditions(rule, known)
        except InvalidInput as error:
            said = error.message
    if caught.error is not None:
        said = f"The trigger {rule.trigger} cannot read its parameters. Open the rule and save it anew; the log says why."
    return Armed(
        rule.pk,
        rule.uid,
        rule.name,
        trigger,
        rule.trigger_params,
        found,
        discipline,
        clear=clear,
        for_seconds=max([float(rule.for_seconds), *(one.for_seconds for one in found)]),
        debounce_seconds=rule.debounce_seconds,
        subject_path=rule.subject_path,
        hears=hears,
        problem=said,
    )


def read_conditions(rule: Rule, known: Mapping[str, Any] | None = None) -> tuple[tuple[Condition, ...], Condition | None]:
    """The trigger's condition, the limits and the rule's own, checked; and the one that clears it.

    Raises InvalidInput that names the field.
    """
    names = known if known is not None else catalogue.known()
    texts = [("trigger_params", triggers.get(rule.trigger).condition(rule.trigger_params))]
    texts += [("conditions", text) for text in _limits(rule, names)]
    texts.append(("condition", rule.condition))
    found = tuple(_checked(field, text, names) for field, text in texts if text.strip())
    clear = _checked("clear_condition", rule.clear_condition, names) if rule.clear_condition.strip() else None
    return found, clear


def _limits(rule: Rule, known: Mapping[str, Any]) -> list[str]:
    queue = str(rule.trigger_params.get("queue") or "default")
    try:
        return limits.sources(rule.conditions or {}, queue=queue, known=known, names=sorted(known))
    except ValueError as error:
        raise InvalidInput(str(error), fields={"conditions": [str(error)]}) from None


def _checked(field: str, text: str, known: Mapping[str, Any]) -> Condition:
    try:
        return conditions.check(text, known, open_paths=catalogue.OPEN_PATHS)
    except InvalidInput as error:
        raise InvalidInput(error.message, fields={field: [error.message]}) from None
