"""One pytest run on one stand: its environment, the process, and what came of it. Called by `manage.py test`."""

import contextlib
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.support import environment, servers

NOTHING_COLLECTED = 5
# Processes of pytest-xdist: as many as a small machine has cores.
PARTS = {"parallel": "not serial", "serial": "serial and not alone", "alone": "alone"}
WORKERS = "2"


@dataclass(frozen=True)
class Stand:
    """A name and the variables that make it."""

    name: str
    environ: dict[str, str]


@dataclass
class Outcome:
    """What one stand gave. `skips`: test → reason. `problems`: sentences about runs that did not end as runs do."""

    stand: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    skips: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@contextlib.contextmanager
def made(name: str, folder: Path) -> Iterator[Stand]:
    """The stand of that name, its servers running within the block. Raises `servers.Unavailable`."""
    data_dir = folder / name
    data_dir.mkdir()
    plain = {**environment.bare(), "DATA_DIR": str(data_dir)}
    if name == "sqlite":
        yield Stand(name, plain)
        return
    with servers.running(database_url=os.environ.get("DATABASE_URL", ""), redis_url=os.environ.get("REDIS_URL", "")) as both:
        yield Stand(name, {**plain, "DATABASE_URL": both.database_url, "REDIS_URL": both.redis_url})


def run(
    stand: Stand, *, arguments: Sequence[str], parts: Sequence[str], with_pure: bool, scale: str, folder: Path, output: IO[Any] | None
) -> Outcome:
    """Run pytest once per part (`parallel`, `serial`, `alone`) on this stand. `output`: where pytest writes; None is the terminal."""
    outcome = Outcome(stand.name)
    for part in parts:
        report = folder / f"{stand.name}-{part}.xml"
        code = _pytest(stand, _command(stand, part, with_pure, arguments, report), scale, output)
        _read(report, outcome)
        if code not in (0, 1, NOTHING_COLLECTED):
            outcome.problems.append(f"pytest ended with status {code} in the {part} part on {stand.name}; its own words are above")
    return outcome


def _command(stand: Stand, part: str, with_pure: bool, arguments: Sequence[str], report: Path) -> list[str]:
    wanted, rest = _marks(arguments)
    conditions = [wanted, PARTS[part], "" if with_pure else "not pure", "not races" if stand.name == "sqlite" else ""]
    marks = " and ".join(f"({condition})" for condition in conditions if condition)
    # Tests with real processes wait more than they work: two files at once, each on its own servers' database.
    workers = {"parallel": ["-n", WORKERS], "serial": ["-n", WORKERS, "--dist", "loadfile"], "alone": ["-p", "no:xdist"]}[part]
    return [sys.executable, "-m", "pytest", *workers, "-m", marks, f"--junitxml={report}", "-p", "no:cacheprovider", *rest]


def _marks(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The person's own `-m` expression, and the rest: pytest would let only the last `-m` count."""
    rest = list(arguments)
    if "-m" not in rest[:-1]:
        return "", rest
    at = rest.index("-m")
    return rest[at + 1], rest[:at] + rest[at + 2 :]


def _pytest(stand: Stand, command: list[str], scale: str, output: IO[Any] | None) -> int:
    variables = {**stand.environ, "STEWARD_TEST_SCALE": scale}
    running = subprocess.Popen(command, cwd=environment.ROOT, env=variables, stdout=output)
    try:
        return running.wait()
    except BaseException:
        _end(running)
        raise


def _end(running: "subprocess.Popen[bytes]") -> None:
    """Ctrl-C in a terminal reached pytest as well; an end from elsewhere did not. Either way it gets time to end what its tests started."""
    for seconds in (5, 20):
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(seconds)
            return
        running.send_signal(signal.SIGINT)
    running.kill()
    running.wait()


def _read(report: Path, outcome: Outcome) -> None:
    if not report.exists():
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        title = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            outcome.failures.append(title)
        elif skip is not None:
            outcome.skipped += 1
            outcome.skips[title] = skip.get("message", "") or "no reason given"
        else:
            outcome.passed += 1
        outcome.seconds += float(case.get("time", 0))
