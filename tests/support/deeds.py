"""An action performed by itself: parameters through its form, then `run`. For tests of an effect, without the machinery around it."""

from typing import Any

from config.acts.plugins.actions import Call, actions
from config.acts.running import forms
from config.kernel.flow.outcomes import Outcome


def perform(key: str, params: dict[str, Any] | None = None, /, **call: Any) -> Outcome:
    """What the action `key` answers. `call`: parts of the Call that matter to the test."""
    action = actions.get(key)
    return action.run(forms.clean(action.Parameters, params or {}), _call(call))


def take_back(key: str, params: dict[str, Any], output: Any, /, **call: Any) -> Outcome:
    """What its `undo` answers, knowing what `run` gave."""
    action = actions.get(key)
    return action.undo(forms.clean(action.Parameters, params), _call({"output": output, **call}))


def _call(given: dict[str, Any]) -> Call:
    return Call(**{"id": "inv_test", "key": "inv_test", "owner": "system", "caller": "command", **given})
