"""Steps between states, as compare-and-swap. Called by services; the only way to take a step."""

from collections.abc import Mapping
from typing import Any, Protocol

from django.db import models

Steps = Mapping[str, frozenset[str]]


class Stateful(Protocol):
    """A row with a `status` whose class says in `steps` which state may follow which."""

    steps: Steps
    status: str
    pk: Any


def sources(steps: Steps, *, to: str) -> list[str]:
    """The states from which `to` may be reached. Raises ValueError when no step leads there: a mistake in the code."""
    found = [state for state, following in steps.items() if to in following]
    if not found:
        raise ValueError(f"no step leads to {to!r}")
    return found


def move(row: Any, *, to: str, **changes: Any) -> bool:
    """Take the step to `to` and set `changes` with it. False when the row's state does not allow it, or someone was first."""
    model: type[models.Model] = type(row)
    allowed = sources(row.steps, to=to)
    moved = model._default_manager.filter(pk=row.pk, status__in=allowed).update(status=to, **changes)
    if not moved:
        return False
    row.status = to
    for name, value in changes.items():
        setattr(row, name, value)
    return True
