"""Which events there may be, and what their data must look like. Used by `events.publish` and by whoever subscribes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

import jsonschema_rs

from config.kernel.flow import clock
from config.kernel.models import EventType

KEPT = timedelta(seconds=5)
# `*` stands for everything but these and what comes from outside: an endpoint that hears of its own failures never rests.
OWN_PREFIXES = ("delivery.", "endpoint.")


@dataclass(frozen=True)
class Declared:
    """An event type of our own, written into the database when it is migrated."""

    name: str
    schema: Mapping[str, Any]
    example: Mapping[str, Any]
    description: str


@dataclass(frozen=True)
class Known:
    """What this process remembers of an event type."""

    origin: str
    validator: Any
    until: datetime


_declared: dict[str, Declared] = {}
_known: dict[str, Known] = {}


def declare(name: str, *, schema: Mapping[str, Any], example: Mapping[str, Any], description: str) -> None:
    """Add an event type to our own catalogue. Called by `event_types.py` of an app; raises ValueError for a name taken twice."""
    if name in _declared:
        raise ValueError(f"event type {name!r} is declared twice")
    _declared[name] = Declared(name, schema, example, description)


def load_declared() -> int:
    """Write the declared types into the database; how many there are. Called after migrating, may run again."""
    for one in _declared.values():
        values = {"schema": one.schema, "example": one.example, "description": one.description, "origin": EventType.Origin.CATALOGUE}
        EventType.objects.update_or_create(name=one.name, defaults=values)
    forget()
    return len(_declared)


def forget() -> None:
    """Drop what this process remembers; the next look reads the rows."""
    _known.clear()


def compile_schema(schema: Any) -> Any:
    """A validator whose regular expressions cannot run for ever. Raises ValueError, also for references that lead outside."""
    return jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions(), retriever=_no_remote_schema)


def problems(name: str, data: Any) -> list[str]:
    """What is wrong with `data` for this type: sentences, at most five; one sentence when there is no such type."""
    known = look_up(name)
    if known is None:
        return [f"There is no event type {name!r}. GET /api/v1/webhooks/event-types lists them."]
    if known.validator is None:
        return []
    found = []
    for error in known.validator.iter_errors(data):
        where = ".".join(str(part) for part in error.instance_path)
        found.append(f"{'data.' + where if where else 'data'}: {error.message[:300]}")
        if len(found) == 5:
            break
    return found


def look_up(name: str) -> Known | None:
    """The type as this process knows it (at most five seconds old), or None."""
    now = clock.now()
    known = _known.get(name)
    if known is not None and known.until > now:
        return known
    row = EventType.objects.filter(name=name).values_list("origin", "schema").first()
    if row is None:
        _known.pop(name, None)
        return None
    _known[name] = Known(row[0], compile_schema(row[1]) if row[1] else None, now + KEPT)
    return _known[name]


def ensure_inbound(name: str) -> None:
    """Make the type of an event from outside on first sight, without a schema."""
    if look_up(name) is None:
        EventType.objects.get_or_create(name=name, defaults={"origin": EventType.Origin.INBOUND, "description": "Seen from outside."})


def matches(patterns: Sequence[str], name: str, *, origin: str) -> bool:
    """Whether a subscription to `patterns` (exact names, `prefix.*`, `*`) wants events of type `name`."""
    return any(_matches_one(pattern, name, origin) for pattern in patterns)


def _matches_one(pattern: str, name: str, origin: str) -> bool:
    if pattern == "*":
        return origin != EventType.Origin.INBOUND and not name.startswith(OWN_PREFIXES)
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern == name


def _no_remote_schema(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside of this schema; references must stay inside it")
