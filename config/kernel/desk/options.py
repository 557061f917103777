"""Settings a person may change while Steward runs: the environment gives the default, a row overrides it.
Read by every room (`options.get`); changed by the admin, the API and the command `options`."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core import checks
from django.db import transaction

from config.kernel.flow import clock, context, events
from config.kernel.flow.errors import InvalidInput, NotFound
from config.kernel.language import kinds
from config.kernel.models import Option
from config.kernel.watch import audit
from config.kernel.wire import redact

FRESH_SECONDS = 1.0


@dataclass(frozen=True)
class Shown:
    """One option as people see it. `source` is `default`, `environment` or `changed`."""

    name: str
    value: Any
    default: Any
    source: str
    kind: str
    unit: str
    help: str


@dataclass
class _Cache:
    """The rows as this process read them last."""

    rows: Mapping[str, Any] | None = None
    read_at: datetime | None = None


_cache = _Cache()
_followers: dict[str, list[Callable[[], None]]] = {}
# An attribute of the connection: its open transaction has changed options and may still be rolled back.
_UNCOMMITTED = "_steward_options_uncommitted"


def get(name: str) -> Any:
    """The value in force, at most a second old. Raises NotFound for a name that is not declared."""
    declared = _declared(name)
    rows = _rows()
    return rows[name] if name in rows else _from_environment(name, declared)


def set(name: str, value: Any, user: User | None = None) -> Any:
    """Change an option for all processes; the value as stored. Raises InvalidInput when it is not of the kind or out of bounds."""
    stored = validate(name, value)
    with transaction.atomic():
        before = _current(name)
        Option.objects.update_or_create(name=name, defaults={"value": stored, "changed_by": user, "changed_at": clock.now()})
        _after_change(name, before, stored, user)
    return stored


def clear(name: str, user: User | None = None) -> Any:
    """Back to the environment's value, or the default; that value. `user` is whoever asks, for the record."""
    default = _from_environment(name, _declared(name))
    with transaction.atomic():
        before = _current(name)
        if Option.objects.filter(name=name).delete()[0]:
            _after_change(name, before, default, user)
    return default


def when_changed(name: str, do: Callable[[], None]) -> None:
    """Have `do` called in the transaction that changes this option, in whichever process that is."""
    _followers.setdefault(name, []).append(do)


def all() -> list[Shown]:
    """Every option by name, with its value, its default and where the value comes from."""
    return [shown(name) for name in sorted(settings.OPTIONS)]


def shown(name: str) -> Shown:
    """One option as people see it. Raises NotFound."""
    declared = _declared(name)
    rows = _rows()
    source = "changed" if name in rows else "environment" if name in os.environ else "default"
    return Shown(name, get(name), _from_environment(name, declared), source, declared["kind"].__name__, declared["unit"], declared["help"])


def validate(name: str, value: Any) -> Any:
    """`value` as the kind that is declared; text is read as the environment's is. Raises InvalidInput with a sentence."""
    declared = _declared(name)
    try:
        found = kinds.read(value, declared["kind"], low=declared.get("min"), high=declared.get("max"))
        if "choices" in declared and found not in declared["choices"]:
            raise ValueError(f"it must be one of {', '.join(declared['choices'])}")
    except ValueError as error:
        raise InvalidInput(f"{name} cannot be {value!r}: {error}.", fields={"value": [f"{name}: {error}."]}) from None
    return found


def forget() -> None:
    """The next `get` reads the rows anew. Called after commit, and between tests."""
    _mark_uncommitted(False)
    _cache.rows = None


@checks.register("steward")
def check_environment(**_: Any) -> list[checks.CheckMessage]:
    """System check: what the environment says of an option must be of its kind."""
    found: list[checks.CheckMessage] = []
    for name, declared in settings.OPTIONS.items():
        try:
            _from_environment(name, declared)
        except InvalidInput as error:
            found.append(checks.Error(error.message, hint="Correct the variable, or remove it to use the default.", id="kernel.E001"))
    return found


def _declared(name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = settings.OPTIONS[name]
    except KeyError:
        raise NotFound(f"There is no option {name!r}. `manage.py options list` shows all of them.") from None
    return found


def _from_environment(name: str, declared: Mapping[str, Any]) -> Any:
    given = os.environ.get(name)
    return declared["default"] if given is None else validate(name, given)


def _rows() -> Mapping[str, Any]:
    """The overriding rows. A transaction that changed options reads them directly: what it sees may still be rolled back."""
    connection = transaction.get_connection()
    if getattr(connection, _UNCOMMITTED, False):
        if connection.in_atomic_block:
            return _read()
        _mark_uncommitted(False)
    now = clock.now()
    rows = _cache.rows
    if rows is None or _cache.read_at is None or not 0 <= (now - _cache.read_at).total_seconds() <= FRESH_SECONDS:
        rows = _read()
        _cache.rows, _cache.read_at = rows, now
    return rows


def _read() -> Mapping[str, Any]:
    return dict(Option.objects.values_list("name", "value"))


def _current(name: str) -> Any:
    row = Option.objects.filter(name=name).first()
    return row.value if row else _from_environment(name, _declared(name))


def _after_change(name: str, before: Any, after: Any, user: User | None) -> None:
    _mark_uncommitted(True)
    transaction.on_commit(forget)
    if before == after:
        return
    for do in _followers.get(name, ()):
        do()
    change = {"before": _safe(name, before), "after": _safe(name, after)}
    actor = user.get_username() if user else context.current().actor
    with context.using(actor=actor):
        audit.record("option.changed", f"option:{name}", **change)
        events.publish("configuration.changed", subject=f"option:{name}", data={"name": name, **change, "changed_by": actor})


def _mark_uncommitted(is_uncommitted: bool) -> None:
    setattr(transaction.get_connection(), _UNCOMMITTED, is_uncommitted)


def _safe(name: str, value: Any) -> Any:
    return redact.url(value) if name.endswith("_URL") and value else value
