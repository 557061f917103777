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
    """The shortest way on which `rule` may wake itself: rule → action → event → rule … → rule."""
    ways: list[tuple[Fed, ...]] = [(rule,)]
    left = [one for one in others if one.uid != rule.uid]
    for way in ways:  # grows: each rule is reached once, by its shortest way
        names = (*way[-1].emits, *ALWAYS)
        if name := _heard(rule, names):
            steps = " → ".join([*(f"{one.name!r}" for one in way), name, f"{rule.name!r}"])
            return [Finding("loop", f"It would wake itself: {steps}.", tuple(one.uid for one in way))]
        reached = [one for one in left if _heard(one, names)]
        left = [one for one in left if one not in reached]
        ways += [(*way, one) for one in reached]
    return []


def _heard(rule: Fed, names: Iterable[str]) -> str:
    """The first of the names that the rule hears, or nothing."""
    return next((name for name in names if matches(rule.hears, name, origin="program")), "")


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
