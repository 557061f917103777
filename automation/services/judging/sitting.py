"""One sitting of judging: what rules remember is read once, every ruling is entered, and all of it is written in a few statements.
Used by `judgement`, inside a transaction."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import models
from django.db.models import Count

from automation.engine import rulings
from automation.engine.discipline import Standing
from automation.engine.holding import Hold
from automation.engine.rulings import Memory, Ruling
from automation.enums import OPEN, Mode, Reason, Result
from automation.models import Execution, Rule, RuleState
from automation.services.judging import alerts, verdicts
from automation.services.judging.arming import Ready
from automation.services.judging.verdicts import Entry
from automation.services.running import orders
from config.acts.models.tables import rewrite
from config.kernel.desk import options
from config.kernel.models import Event

STATE = (
    "state",
    "due_at",
    "quiet_at",
    "quiet_event",
    "quiet_facts",
    "seen_at",
    "was_true",
    "held_seconds",
    "is_active",
    "fired_at",
    "verdict",
    "signature",
)
COLUMNS = tuple("verdict_id" if name == "verdict" else name for name in STATE)
# What was kept from acting becomes an execution that says so, once for as long as the reason stays; these are no more than a verdict.
NOTED = (Result.HELD, Result.REFUSED)
NOT_NOTED = (Reason.FOR, Reason.STILL, Reason.DEBOUNCE)


class Sitting:
    """Opened for some rules at a moment; `close` writes everything."""

    def __init__(self, ready: Sequence[Ready], *, now: datetime, subjects: Iterable[str] | None = None) -> None:
        self.now = now
        self.rules = [one.rule for one in ready]
        self.executions: list[Execution] = []
        self._states = _locked_states(self.rules, subjects)
        self._stored = {id(state): _written(state) for state in self._states.values()}
        _lock_shared([rule for rule in self.rules if rule.subject_path])
        self._entries: dict[int, list[Entry]] = defaultdict(list)
        self._orders: list[orders.Order] = []
        self._alerts: list[tuple[Rule, str, Ruling]] = []
        self._open: Counter[int] | None = None
        self._hourly: Counter[int] | None = None
        self._lacks: dict[int, str] = {}

    def memory(self, rule: Rule, subject: str = "") -> Memory:
        """What the rule remembers of the subject now."""
        row = self._states.get((rule.pk, subject))
        return _memory_of(row) if row else Memory()

    def standing(self, rule: Rule) -> Standing:
        """How things stand for the rule, what was entered in this sitting included."""
        return Standing(
            is_running=options.get("AUTOMATION_RUNNING"),
            level=options.get("AUTOMATION_LEVEL"),
            owner_lacks=self._owner_lacks(rule),
            fired_this_hour=self._fired_this_hour()[rule.pk] if rule.max_per_hour is not None else 0,
            open_count=self._open_counts()[rule.pk],
        )

    def enter(self, ready: Ready, ruling: Ruling, *, values: Mapping[str, Any], subject: str = "", event: Event | None = None) -> None:
        """Take down one ruling: memory, verdict, and the execution that comes of it, its parameters filled from `values`."""
        rule = ready.rule
        state = self._states.setdefault((rule.pk, subject), RuleState(rule=rule, subject=subject))
        _remember(state, ruling.memory)
        entry, is_new = self._entry(state, ruling)
        entry.event_uid = event.uid if event else ""
        if ruling.fires or (is_new and ruling.result in NOTED and ruling.reason not in NOT_NOTED):
            entry.execution = orders.draft(ready, ruling, subject=subject, event=event, now=self.now)
            self.executions.append(entry.execution)
            if ruling.result == Result.FIRED:
                self._orders.append(orders.Order(entry.execution, {**values, **ruling.facts}))
            self._count(rule, ruling)
        if rule.severity and rule.mode == Mode.ON and (ruling.result == Result.FIRED or ruling.has_cleared):
            self._alerts.append((rule, subject, ruling))

    def close(self) -> None:
        """Write all of it."""
        orders.fill(self._orders)
        Execution.objects.bulk_create(self.executions)
        states = {id(state): state for state in self._states.values()}
        verdicts.write(self._entries, states)
        entered = [states[key] for key in self._entries]
        # Most of what is judged leaves nothing to remember that was not known.
        rewrite([row for row in entered if row.pk is not None and _written(row) != self._stored[id(row)]], STATE)
        RuleState.objects.bulk_create([row for row in entered if row.pk is None])
        Rule.objects.filter(pk__in={one.rule_id for one in self.executions if one.key}).update(last_fired_at=self.now)
        for rule, subject, ruling in self._alerts:
            alerts.announce(rule, subject, ruling)
        if self.executions:
            orders.nudge()

    def _entry(self, state: RuleState, ruling: Ruling) -> tuple[Entry, bool]:
        """Where it is entered, and whether that begins with it."""
        mark, found = rulings.signature(ruling), self._entries[id(state)]
        is_new = mark != state.signature or (not found and state.verdict_id is None)
        if is_new or not found:
            found.append(Entry(mark, is_new, first_at=ruling.slot))
        found[-1].rulings.append(ruling)
        state.signature = mark
        return found[-1], is_new

    def _count(self, rule: Rule, ruling: Ruling) -> None:
        if ruling.result == Result.FIRED:
            self._open_counts()[rule.pk] += 1
        if ruling.fires:
            self._fired_this_hour()[rule.pk] += 1

    def _open_counts(self) -> Counter[int]:
        if self._open is None:
            self._open = _counted(Execution.objects.filter(rule__in=self.rules, status__in=OPEN))
        return self._open

    def _fired_this_hour(self) -> Counter[int]:
        if self._hourly is None:
            limited = [rule for rule in self.rules if rule.max_per_hour is not None]
            fired = Execution.objects.filter(rule__in=limited, created_at__gt=self.now - timedelta(hours=1), key__isnull=False, actor="")
            # What only would have fired counts for a rule in shadow alone.
            self._hourly = _counted(fired.filter(models.Q(is_shadow=False) | models.Q(rule__mode=Mode.SHADOW)))
        return self._hourly

    def _owner_lacks(self, rule: Rule) -> str:
        if rule.owner is None:
            return ""
        if rule.pk not in self._lacks:
            self._lacks[rule.pk] = orders.lacking(rule)
        return self._lacks[rule.pk]


def _counted(rows: "models.QuerySet[Execution]") -> Counter[int]:
    return Counter(dict(rows.order_by().values_list("rule").annotate(Count("id"))))


def _locked_states(rules: Sequence[Rule], subjects: Iterable[str] | None) -> dict[tuple[int, str], RuleState]:
    rows = RuleState.objects.select_for_update().filter(rule__in=rules).order_by("pk")
    if subjects is not None:
        rows = rows.filter(subject__in=set(subjects))
    return {(row.rule_id, row.subject): row for row in rows}


def _written(row: RuleState) -> bytes:
    """What would be stored of it; a trigger that changed its state in place is noticed, too."""
    return orjson.dumps([getattr(row, name) for name in COLUMNS])


def _lock_shared(rules: Sequence[Rule]) -> None:
    """Subjects are judged side by side, and share their rule's hourly limit and its one execution at a time."""
    if rules:
        keys = [rule.pk for rule in rules]
        list(Rule.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk").values_list("pk"))


def _memory_of(row: RuleState) -> Memory:
    hold = Hold(row.seen_at, row.was_true, row.held_seconds, row.is_active)
    return Memory(row.state, row.due_at, row.quiet_at, row.quiet_event, row.quiet_facts, hold, row.fired_at)


def _remember(row: RuleState, memory: Memory) -> None:
    row.state, row.due_at, row.fired_at = dict(memory.state), memory.due_at, memory.fired_at
    row.quiet_at, row.quiet_event, row.quiet_facts = memory.quiet_at, memory.quiet_event, dict(memory.quiet_facts)
    row.seen_at, row.was_true = memory.hold.seen_at, memory.hold.was_true
    row.held_seconds, row.is_active = memory.hold.held_seconds, memory.hold.is_active
