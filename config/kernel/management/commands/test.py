"""Runs the suite: one pytest run per stand, SQLite always, PostgreSQL and Redis when found or startable."""

import contextlib
import json
import signal
import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

STANDS = ("sqlite", "servers")


class _PassingOn(CommandParser):
    """Keeps what it does not know, in order, for pytest."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Namespace:  # type: ignore[override]
        known: Namespace
        known, rest = self.parse_known_args(args, namespace)
        known.pytest = [word for word in rest if word != "--"]
        return known


class Command(BaseCommand):
    help = "Run the tests. What is not an option below goes to pytest: paths, -k, -x, -m …"
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = _PassingOn
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stand", choices=STANDS, help="only this one: sqlite (memory broker) or servers (PostgreSQL and Redis)")
        parser.add_argument("--quick", action="store_true", help="sqlite only, without journeys, chaos and browser: for while you write")
        parser.add_argument("--no-skip", action="store_true", help="fail when anything was skipped")
        parser.add_argument("--scale", choices=("small", "full"), default="small", help="numbers of chaos and calendar tests")
        parser.add_argument("--json", action="store_true", help="print the result as JSON; pytest then writes to stderr")

    def handle(self, *, stand: str | None, quick: bool, no_skip: bool, scale: str, json: bool, pytest: list[str], **_: Any) -> None:
        started = time.monotonic()
        # An end from outside is an end in order: servers are stopped, folders removed.
        signal.signal(signal.SIGTERM, _interrupt)
        chosen = [stand] if stand else ["sqlite"] if quick else list(STANDS)
        try:
            outcomes = self._run_all(chosen, pytest, quick=quick, scale=scale, quiet=json)
        except KeyboardInterrupt:
            self.stderr.write("Ended before all tests had run; the servers are stopped and their folders removed.")
            sys.exit(130)
        ok = _is_good(outcomes, no_skip)
        if json:
            self.stdout.write(_as_json(outcomes, ok))
        else:
            self._tell(outcomes, time.monotonic() - started, no_skip)
        sys.exit(0 if ok else 1)

    def _run_all(self, chosen: list[str], arguments: list[str], *, quick: bool, scale: str, quiet: bool) -> list[Any]:
        from tests.support import servers, stand

        outcomes = []
        with tempfile.TemporaryDirectory(prefix="steward-tests-", ignore_cleanup_errors=True) as folder:
            for name in chosen:
                try:
                    with stand.made(name, Path(folder)) as made:
                        self.stderr.write(f"— stand {name} —")
                        parts = ("parallel",) if quick else ("parallel", "serial", "alone")
                        outcomes.append(
                            stand.run(
                                made,
                                arguments=arguments,
                                parts=parts,
                                with_pure=name == chosen[0],
                                scale=scale,
                                folder=Path(folder),
                                output=sys.stderr if quiet else None,
                            )
                        )
                except servers.Unavailable as reason:
                    outcomes.append(stand.Outcome(name, skipped=1, skips={f"the whole stand {name}": str(reason)}))
        return outcomes

    def _tell(self, outcomes: list[Any], seconds: float, no_skip: bool) -> None:
        self.stdout.write("")
        for outcome in outcomes:
            self.stdout.write(f"{outcome.stand:8} {outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped")
            for title in outcome.failures:
                self.stdout.write(f"         failed: {title}")
            for title, reason in outcome.skips.items():
                self.stdout.write(f"         skipped: {title}: {reason}")
            for problem in outcome.problems:
                self.stdout.write(f"         {problem}")
        passed, failed, skipped = _sums(outcomes)
        if not passed + failed + skipped:
            self.stdout.write("No test matched: check the path or the expression.")
        if no_skip and skipped:
            self.stdout.write("Something was skipped, and --no-skip was asked for: provide what the reasons above name.")
        self.stdout.write(f"{seconds:.0f} s in all")
        self.stdout.write(f"{passed} passed, {failed} failed, {skipped} skipped")


def _sums(outcomes: list[Any]) -> tuple[int, int, int]:
    return sum(o.passed for o in outcomes), sum(o.failed for o in outcomes), sum(o.skipped for o in outcomes)


def _is_good(outcomes: list[Any], no_skip: bool) -> bool:
    passed, failed, skipped = _sums(outcomes)
    return bool(passed) and not failed and not (no_skip and skipped) and not any(o.problems for o in outcomes)


def _as_json(outcomes: list[Any], ok: bool) -> str:
    passed, failed, skipped = _sums(outcomes)
    return json.dumps({"ok": ok, "passed": passed, "failed": failed, "skipped": skipped, "stands": [asdict(o) for o in outcomes]}, indent=2)


def _interrupt(*_: Any) -> None:
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
