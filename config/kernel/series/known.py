"""Which names there are and what they mean, told by the samplers. Read by conditions, charts and the API."""

import re
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import samplers
from config.kernel.series import store

KEPT = timedelta(seconds=10)


@dataclass
class _Kept:
    """What the samplers said last, in this process."""

    found: tuple[Fact, ...] = ()
    read_at: datetime | None = None


_kept = _Kept()
_lock = threading.Lock()


def facts() -> list[Fact]:
    """Every name that may be measured, at most ten seconds old. A family such as `queues.<name>.depth` stands for any name in
    its place; those of its members that are measured now follow with names of their own."""
    with _lock:
        now = clock.now()
        if _kept.read_at is None or not timedelta(0) <= now - _kept.read_at < KEPT:
            _kept.found, _kept.read_at = tuple(_ask()), now
        return list(_kept.found)


def fact(name: str) -> Fact | None:
    """What `name` means, be it a member of a family; None when no sampler knows it."""
    known = facts()
    exact = next((one for one in known if one.name == name), None)
    return exact or next((replace(one, name=name) for one in known if _is_member(name, one.name)), None)


def forget() -> None:
    """The next call asks the samplers again."""
    _kept.read_at = None


def _ask() -> list[Fact]:
    declared: dict[str, Fact] = {}
    for key, sampler in samplers.all().items():
        with capture("sampler.facts_failed", sampler=key):
            for one in sampler.facts():
                declared.setdefault(one.name, one)
    families = [one for one in declared.values() if "<" in one.name]
    found = store.latest() if families else None
    for name in found[1] if found else ():
        family = next((one for one in families if _is_member(name, one.name)), None)
        if family is not None:
            declared.setdefault(name, replace(family, name=name))
    return list(declared.values())


def _is_member(name: str, family: str) -> bool:
    return "<" in family and _pattern(family).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _pattern(family: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in re.split(r"<[^>]*>", family)))
