"""Secrets among the parameters taken out of what came of a call, wherever the action repeats them. Called by `recording`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from config.acts.executor.results import Result
from config.acts.plugins.actions import Action
from config.acts.running import forms
from config.kernel.wire import redact

# Shorter ones cannot be told from words.
LETTERS = 6


def hidden(result: Result, action: Action, params: Mapping[str, Any]) -> Result:
    """The result with every secret parameter masked in message, log and output; an undo is told the parameters anyway."""
    names = forms.secret_names(action.Parameters)
    secrets = sorted({text for name in names for text in _texts(params.get(name)) if len(text) >= LETTERS}, key=len, reverse=True)
    if not secrets:
        return result
    return replace(result, **_without({"message": result.message, "log": result.log, "output": result.output}, secrets))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _without(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for one in secrets:
            value = value.replace(one, redact.MASK)
        return value
    if isinstance(value, dict):
        return {name: _without(item, secrets) for name, item in value.items()}
    return [_without(item, secrets) for item in value] if isinstance(value, list) else value
