"""Figures of a run, and how they are shown: a table for people, a dictionary for files. Used by `run` and every scenario."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number. `target` is None where there is none; `is_less_better` says on which side of it good lies."""

    name: str
    value: float
    unit: str
    target: float | None = None
    is_less_better: bool = False

    @property
    def verdict(self) -> str:
        """`ok`, `short`, or nothing where there is no target."""
        if self.target is None:
            return ""
        return "ok" if (self.value <= self.target if self.is_less_better else self.value >= self.target) else "short"


@dataclass(frozen=True)
class Result:
    """What a scenario found. `problems` are the ledger's: one is enough to void the run. `notes` go into the file only."""

    scenario: str
    method: str
    figures: Sequence[Figure]
    problems: Sequence[str] = ()
    ledger: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def is_void(results: Sequence[Result]) -> bool:
    """Whether any ledger did not add up."""
    return any(result.problems for result in results)


def as_data(results: Sequence[Result], *, machine: Mapping[str, Any], scale: str, seconds: float) -> dict[str, Any]:
    """Everything, for JSON."""
    shown = [
        {**asdict(result), "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in result.figures]} for result in results
    ]
    return {"void": is_void(results), "scale": scale, "seconds": seconds, "machine": dict(machine), "results": shown}


def as_text(results: Sequence[Result], *, machine: Mapping[str, Any]) -> str:
    """Machine, table, method and ledger of each scenario."""
    lines = ["", *(f"  {name:<12} {value}" for name, value in machine.items()), ""]
    rows = [("", "figure", "target", ""), *(_row(figure) for result in results for figure in result.figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    lines += [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {target:>{widths[2]}}  {verdict}".rstrip() for name, value, target, verdict in rows
    ]
    lines.append("")
    for result in results:
        lines.append(f"  {result.scenario}: {result.method}")
        if result.ledger:
            lines.append("    ledger: " + ", ".join(f"{name} {amount}" for name, amount in result.ledger.items()))
        lines += [f"    {line}" for line in _disturbance(result.notes)]
        lines += [f"    VOID: {problem}" for problem in result.problems]
    return "\n".join([*lines, "", *(["VOID: a ledger does not add up, so none of these numbers counts."] if is_void(results) else [])])


def _row(figure: Figure) -> tuple[str, str, str, str]:
    sign = "≤" if figure.is_less_better else "≥"
    target = "" if figure.target is None else f"{sign} {_number(figure.target)} {figure.unit}".rstrip()
    return figure.name, f"{_number(figure.value)} {figure.unit}".rstrip(), target, figure.verdict


def _disturbance(notes: Mapping[str, Any]) -> list[str]:
    """How much of the machine others used, and what the processor time says would fit into all of it."""
    parts = {"": notes} if "used_by_others" in notes else {name: one for name, one in notes.items() if isinstance(one, Mapping)}
    return [
        f"{name + ': ' if name else ''}others used {one['used_by_others']:.0%} of the machine; by processor time "
        f"{one['per_second_if_alone']:,} /s would fit into all of it"
        for name, one in parts.items()
        if "used_by_others" in one
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie; 0.0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
