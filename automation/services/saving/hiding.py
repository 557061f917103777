"""Secrets among the parameters of a rule's actions: hidden where they are shown, kept where they come back hidden.
Called by `rules`, and by every door that shows a rule or an execution."""

from collections.abc import Mapping, Sequence
from typing import Any

from config.acts.plugins.actions import actions
from config.acts.running import forms
from config.kernel.flow.errors import InvalidInput
from config.kernel.wire.redact import MASK

Step = Mapping[str, Any]


def shown(steps: Sequence[Step] | None) -> list[dict[str, Any]]:
    """The actions as people may see them; all parameters of one that is not installed any more are hidden."""
    return [{"action": step["action"], "params": _hidden(step)} for step in steps or ()]


def kept(given: Any, before: Sequence[Step]) -> Any:
    """`given` with what came back hidden as it is stored: looked for at the same place, else at the first step with the same action."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        return given
    return [_step(step, _counterpart(index, step, before)) for index, step in enumerate(given)]


def ensure_open(steps: Sequence[Step]) -> None:
    """Raises InvalidInput where a mask stands for a secret that nobody has."""
    for index, step in enumerate(steps):
        for name, value in step["params"].items():
            if _holds_mask(value):
                field = f"actions.{index}.params.{name}"
                raise InvalidInput(
                    f"{field} is hidden ({MASK}), and there is nothing stored to keep. Type it.", fields={field: ["Type it."]}
                )


def _hidden(step: Step) -> dict[str, Any]:
    action = actions.all().get(step["action"])
    return forms.masked(action.Parameters if action else None, step["params"])


def _counterpart(index: int, step: Any, before: Sequence[Step]) -> Step | None:
    key = step.get("action") if isinstance(step, Mapping) else None
    same = [one for one in before if one["action"] == key]
    return before[index] if index < len(before) and before[index]["action"] == key else next(iter(same), None)


def _step(step: Any, stored: Step | None) -> Any:
    if stored is None or not isinstance(step.get("params"), Mapping):
        return step
    hidden, open_ = _hidden(stored), stored["params"]
    params = {
        name: open_[name] if _is_same(value, hidden.get(name)) else _filled(value, open_.get(name))
        for name, value in step["params"].items()
    }
    return {**step, "params": params}


def _is_same(value: Any, hidden: Any) -> bool:
    return hidden is not None and _holds_mask(hidden) and bool(value == hidden)


def _filled(value: Any, stored: Any) -> Any:
    """A mask deep inside of a value that was changed elsewhere."""
    if isinstance(value, Mapping) and isinstance(stored, Mapping):
        return {name: _filled(one, stored.get(name)) for name, one in value.items()}
    if isinstance(value, list) and isinstance(stored, list):
        return [_filled(one, stored[index] if index < len(stored) else None) for index, one in enumerate(value)]
    return stored if value == MASK and stored is not None else value


def _holds_mask(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_mask(one) for one in value.values())
    if isinstance(value, list):
        return any(_holds_mask(one) for one in value)
    return isinstance(value, str) and MASK in value
