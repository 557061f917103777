"""`manage.py chaos NAME`: strikes a real installation while it works, and says whether anything was lost."""

import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

DEFAULT_SEED = 20260


class Command(BaseCommand):
    """The scenarios are those of tests/chaos; at full scale the report is kept in docs/reports."""

    help = "Kill processes and servers of an installation made for it, while events go through, and count what arrives."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "name", metavar="NAME", help="the scenario: ledger, inbound_repeat, receiver_down, broker_away, memory or automation"
        )
        parser.add_argument("--scale", choices=("small", "full"), default="small", help="full keeps its report in docs/reports/NAME.json")
        parser.add_argument("--stand", choices=("sqlite", "servers"), help="one process on SQLite, or PostgreSQL and Redis (the default)")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help=f"order and moments of the blows; the default is {DEFAULT_SEED}")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report as JSON")

    def handle(self, *, name: str, scale: str, stand: str | None, seed: int, as_json: bool, **_: Any) -> None:
        from tests.chaos import scenario
        from tests.support import servers

        if name not in scenario.NAMES:
            raise CommandError(f"There is no scenario {name!r}. There are: {', '.join(scenario.NAMES)}.")
        # An end from outside is an end in order: what was started is ended.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        stand = stand or "servers"
        if stand not in scenario.stands(name):
            raise CommandError(f"The scenario {name} needs the stand {' or '.join(scenario.stands(name))}.")
        try:
            with tempfile.TemporaryDirectory(prefix="steward-chaos-") as folder, scenario.installed(stand, Path(folder)) as house:
                report = scenario.run(name, house, scale=scale, seed=seed)
        except servers.Unavailable as reason:
            raise CommandError(str(reason)) from None
        # The first stand of the done-when line is the servers'; SQLite's run is only printed.
        path = report.keep() if scale == "full" and stand == "servers" else None
        self.stdout.write(report.text() if as_json else _told(report))
        if path and not as_json:
            self.stdout.write(f"Kept in {path}.")
        sys.exit(0 if report.holds else 1)


def _told(report: Any) -> str:
    """The report for people."""
    found = report.findings
    lines = [f"{report.scenario} ({report.scale}, {report.stand}, seed {report.seed}): {report.seconds} s"]
    lines += [
        f"  {blow['blow']:20} " + ", ".join(f"{name} {told}" for name, told in blow.items() if name != "blow") for blow in found.blows
    ]
    lines += [f"  {name:24} {value}" for name, value in found.counts.items()]
    return "\n".join(
        [*lines, *(f"  PROBLEM  {sentence}" for sentence in found.problems), "It held." if report.holds else "It did not hold."]
    )
