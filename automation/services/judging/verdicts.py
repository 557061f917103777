"""Why a rule fired, or did not: every judgement is entered, run-length. Called by a sitting; read by pages and the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from automation.engine.rulings import Ruling
from automation.models import Execution, RuleState, Verdict
from config.acts.models.tables import rewrite
from config.kernel.desk import options
from config.kernel.flow import tidy

TOUCHED = ("text", "parts", "extremes", "last_at", "count", "event_uid", "execution")


@dataclass
class Entry:
    """Judgements of one rule and subject that say the same, one after another. `is_new`: a row of its own begins with it."""

    signature: str
    is_new: bool
    first_at: datetime
    rulings: list[Ruling] = field(default_factory=list)
    event_uid: str = ""
    execution: Execution | None = None

    @property
    def last(self) -> Ruling:
        """The latest of them."""
        return self.rulings[-1]

    @property
    def last_at(self) -> datetime:
        """When that was."""
        return max(self.first_at, self.last.slot)

    def extremes(self, before: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
        """Least and most of each number that its parts saw, what was known before included."""
        found = {name: list(pair) for name, pair in before.items()}
        for ruling in self.rulings:
            for part in ruling.parts:
                if isinstance(part.value, int | float) and not isinstance(part.value, bool):
                    low, high = found.get(part.leaf.subject, [part.value, part.value])
                    found[part.leaf.subject] = [min(low, part.value), max(high, part.value)]
        return found


def write(entries: Mapping[int, Sequence[Entry]], states: Mapping[int, RuleState]) -> None:
    """Store the entries of each state (by any key), and have the state name its latest verdict."""
    # By the verdict that was current when they were judged: a new one may have begun in the same sitting.
    touched = [(states[key].verdict_id, entry) for key, found in entries.items() for entry in found if not entry.is_new]
    fresh = [(states[key], entry) for key, found in entries.items() for entry in found if entry.is_new]
    made = Verdict.objects.bulk_create([_row(state, entry) for state, entry in fresh])
    for (state, _), row in zip(fresh, made, strict=True):
        state.verdict = row
    _touch(touched)


def parts_as_json(parts: Sequence[Any]) -> list[dict[str, Any]]:
    """As rows and answers show them."""
    return [{"name": part.leaf.subject, **part.record()} for part in parts]


def remove_old(now: datetime) -> int:
    """Delete verdicts past EXECUTION_RETENTION_DAYS; how many. The current one of each rule stays."""
    since = now - timedelta(days=options.get("EXECUTION_RETENTION_DAYS"))
    current = RuleState.objects.filter(verdict__isnull=False).values("verdict")
    return tidy.remove(Verdict.objects.filter(last_at__lt=since).exclude(pk__in=current))


def _row(state: RuleState, entry: Entry) -> Verdict:
    last = entry.last
    return Verdict(
        rule_id=state.rule_id,
        subject=state.subject,
        result=last.result,
        reason=last.reason,
        text=last.text,
        parts=parts_as_json(last.parts),
        extremes=entry.extremes({}),
        first_at=entry.first_at,
        last_at=entry.last_at,
        count=len(entry.rulings),
        event_uid=entry.event_uid,
        execution=entry.execution,
        created_at=entry.first_at,
    )


def _touch(touched: Sequence[tuple[int | None, Entry]]) -> None:
    """The rows that only got longer."""
    rows = Verdict.objects.only("extremes", "count", "last_at", "execution_id").in_bulk([key for key, _ in touched])
    changed = []
    for key, entry in touched:
        row = rows.get(key) if key is not None else None
        if row is None:
            continue  # removed by retention meanwhile; the next change begins a new one
        row.count, row.last_at = row.count + len(entry.rulings), max(row.last_at, entry.last_at)
        row.text, row.parts, row.extremes = entry.last.text, parts_as_json(entry.last.parts), entry.extremes(row.extremes)
        row.event_uid = entry.event_uid
        if entry.execution is not None:
            row.execution = entry.execution
        changed.append(row)
    rewrite(changed, TOUCHED)
