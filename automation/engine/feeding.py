"""Which rules feed each other, and which pull the same thing in two directions. Pure; used when a rule is saved and by its page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config.kernel.flow.event_types import matches


@dataclass(frozen=True)
class Fed:
    """What matters of a rule here: what it hears, what its actions publish, and what each of them does to which target."""

    uid: str
    name: str
    hears: Sequence[str] = ()
    emits: Sequence[str] = ()
    works_on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """`loop` or `conflict`, and a sentence that names the rules."""

    kind: str
    text: str
    rules: Sequence[str] = ()


# What every execution announces, whatever its actions are.
ALWAYS = ("execution.completed", "execution.failed")


def loops(rule: Fed, others: Iterable[Fed]) -> list[Finding]:
    """The ways on which `rule` may wake itself: rule → action → event → rule … → rule."""
    known = {one.uid: one for one in others} | {rule.uid: rule}
    found: list[Finding] = []
    _walk(rule, rule, (rule,), known, found)
    return found


def _walk(start: Fed, at: Fed, way: tuple[Fed, ...], known: Mapping[str, Fed], found: list[Finding]) -> None:
    for name in (*at.emits, *ALWAYS):
        for heard in known.values():
            if not matches(heard.hears, name, origin="program") or found:
                continue
            if heard.uid == start.uid:
                steps = " → ".join([*(f"{one.name!r}" for one in way), name, f"{start.name!r}"])
                found.append(Finding("loop", f"It would wake itself: {steps}.", tuple(one.uid for one in way)))
            elif heard not in way and len(way) < 8:
                _walk(start, heard, (*way, heard), known, found)


def conflicts(rule: Fed, others: Iterable[Fed]) -> list[Finding]:
    """Rules that do something else to the same target."""
    found = []
    for other in others:
        for target, deed in rule.works_on.items():
            theirs = other.works_on.get(target)
            if other.uid != rule.uid and theirs is not None and theirs != deed:
                text = f"{other.name!r} also works on {target}, in another way: {theirs}; this rule: {deed}."
                found.append(Finding("conflict", text, (other.uid,)))
    return found
