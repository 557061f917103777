"""What a scenario is: what it finds, its report, and the installation that it strikes. Called by the tests and by `manage.py chaos`."""

import contextlib
import importlib
import json
import os
import platform
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support import environment, servers, stack
from tests.support.stack import Stack

# Each module has STANDS, where it makes sense, and run(house, scale=, rng=) -> Findings.
NAMES = ("ledger", "inbound_repeat", "receiver_down", "broker_away", "memory", "automation")
REPORTS = environment.ROOT / "docs" / "reports"
# Limits are not what is tried here; a breaker's time is short so that a run is.
SETTINGS = {
    "API_RATE_PER_MINUTE": "1000000",
    "API_RATE_MANAGE_PER_MINUTE": "1000000",
    "INBOUND_RATE_PER_SECOND": "100000",
    "INBOUND_RATE_BURST": "100000",
    "WEBHOOK_BREAKER_RECOVERY": "2",
    "STEWARD_APPS": "tests.support.acting",
}


@dataclass
class Findings:
    """What a run counted, what each blow led to, and the sentences against it; none means that it held."""

    counts: dict[str, Any] = field(default_factory=dict)
    blows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, sentence: str) -> None:
        """Note the sentence when it does not hold."""
        if not holds:
            self.problems.append(sentence)


@dataclass(frozen=True)
class Report:
    """One run, as it is kept in docs/reports."""

    scenario: str
    scale: str
    stand: str
    seed: int
    machine: dict[str, Any]
    seconds: float
    holds: bool
    findings: Findings

    def text(self) -> str:
        """As JSON, for people to read too."""
        return json.dumps({**asdict(self)}, indent=2) + "\n"

    def keep(self) -> Path:
        """Write it where reports are kept; the file's path."""
        REPORTS.mkdir(parents=True, exist_ok=True)
        path = REPORTS / f"{self.scenario}.json"
        path.write_text(self.text())
        return path


def stands(name: str) -> tuple[str, ...]:
    """The stands that a scenario can run on."""
    found: tuple[str, ...] = importlib.import_module(f"tests.chaos.{name}").STANDS
    return found


@contextlib.contextmanager
def installed(stand: str, folder: Path) -> Iterator[Stack]:
    """An installation to strike: on `servers` with a PostgreSQL and a Redis of its own, on `sqlite` the one process of `up`."""
    both = servers.running() if stand == "servers" else contextlib.nullcontext(servers.Servers("", ""))
    with both as own, stack.installation(folder, own=own, **SETTINGS) as house:
        yield house


def run(name: str, house: Stack, *, scale: str, seed: int) -> Report:
    """Run a scenario to its end; what it found, whether it held or not."""
    started = time.monotonic()
    findings = importlib.import_module(f"tests.chaos.{name}").run(house, scale=scale, rng=random.Random(seed))
    seconds = round(time.monotonic() - started, 1)
    stand = "servers" if "web" in house.commands else "sqlite"
    return Report(name, scale, stand, seed, _machine(), seconds, not findings.problems, findings)


def _machine() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
    }
