"""Runs scenarios one after the other in one installation, and tells what they found. Called by the command `bench`."""

import importlib
import pkgutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks import house as houses
from benchmarks import machine, results, scenarios
from benchmarks.house import House
from benchmarks.results import Result
from tests.support import environment

REPORT = environment.ROOT / "docs" / "reports" / "bench.json"


@dataclass(frozen=True)
class Size:
    """How much: `seconds` of load in each measurement, and whether the numbers are meant to be quoted."""

    seconds: float
    is_full: bool


@dataclass(frozen=True)
class Report:
    """What a run found. `text` is for people, `data` for files."""

    is_void: bool
    text: str
    data: dict[str, Any]


def names() -> list[str]:
    """The scenarios there are, in the order of the table."""
    return sorted(_modules(), key=lambda name: int(_modules()[name].ORDER))


def run(
    chosen: Sequence[str],
    *,
    size: Size,
    database_url: str,
    redis_url: str,
    say: Callable[[str], None],
    is_written: bool = False,
) -> Report:
    """Measure. Without URLs the servers are started here. Raises servers.Unavailable and house.NotEmpty."""
    found: list[Result] = []
    with houses.installed(database_url=database_url, redis_url=redis_url) as house:
        about = machine.describe(database_url=house.database_url, redis_url=house.redis_url)
        for name in [name for name in names() if not chosen or name in chosen]:
            started = time.monotonic()
            found.append(_measured(house, name, size))
            say(f"{name}: {time.monotonic() - started:.0f} s")
    scale = "full" if size.is_full else "small"
    data = results.as_data(found, machine=about, scale=scale, seconds=size.seconds)
    if is_written:
        _write(data, REPORT)
    return Report(results.is_void(found), results.as_text(found, machine=about), data)


def _measured(house: House, name: str, size: Size) -> Result:
    house.until_quiet()
    house.receiver.report()
    measure: Callable[[House, Size], Result] = _modules()[name].measure
    return measure(house, size)


def _modules() -> Mapping[str, Any]:
    listed = pkgutil.iter_modules(scenarios.__path__)
    return {one.name: importlib.import_module(f"benchmarks.scenarios.{one.name}") for one in listed}


def _write(data: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
