"""`manage.py bench`: measures this version on this machine, by the scenarios of the folder `benchmarks`."""

import importlib.util
import os
import signal
import sys
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

SECONDS = {"small": 1.0, "full": 15.0}


class Command(BaseCommand):
    """The kernel knows no scenario; whatever `benchmarks/scenarios` holds is run."""

    help = (
        "Measure throughput, latency and recovery with real processes on PostgreSQL and Redis (those of DATABASE_URL and REDIS_URL, in a "
        "database of its own; else started here). Prints VOID and exits with 1 when the ledger does not add up."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="only this one; may be given several times")
        parser.add_argument(
            "--scale", choices=tuple(SECONDS), default="full", help="small: a second each, to see that it works; full: to be quoted"
        )
        parser.add_argument("--seconds", type=float, metavar="N", help="load for so long in each measurement, instead of the scale's")
        parser.add_argument("--write", action="store_true", help="also write docs/reports/bench.json")
        parser.add_argument("--list", action="store_true", help="only name the scenarios")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print everything as JSON")

    def handle(self, *args: Any, **given: Any) -> None:
        run = _runner()
        if given["list"]:
            self.stdout.write(orjson.dumps(run.names()).decode() if given["as_json"] else "\n".join(run.names()))
            return
        if unknown := sorted(set(given["scenario"]) - set(run.names())):
            raise CommandError(f"There is no scenario {', '.join(unknown)}. There are: {', '.join(run.names())}.")
        # An end from outside is an end in order: servers are stopped, folders and databases removed.
        signal.signal(signal.SIGTERM, _interrupt)
        report = self._run(run, given)
        self.stdout.write(orjson.dumps(report.data).decode() if given["as_json"] else report.text)
        if report.is_void:
            sys.exit(1)

    def _run(self, run: Any, given: dict[str, Any]) -> Any:
        from benchmarks.house import NotEmpty
        from tests.support.servers import Unavailable

        size = run.Size(given["seconds"] or SECONDS[given["scale"]], given["scale"] == "full")
        url = settings.DATABASE_URL if settings.DATABASE_URL.startswith("postgres") else ""
        # An empty variable asks for a Redis of our own beside a given PostgreSQL.
        redis_url = os.environ.get("REDIS_URL", settings.REDIS_URL)
        try:
            return run.run(given["scenario"], size=size, database_url=url, redis_url=redis_url, say=self._say, is_written=given["write"])
        except (Unavailable, NotEmpty) as error:
            raise CommandError(f"Nothing was measured. {error}") from None

    def _say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


def _runner() -> Any:
    if not importlib.util.find_spec("benchmarks"):
        raise CommandError("The folder `benchmarks` is not installed here. Run this in a clone of the repository.")
    return importlib.import_module("benchmarks.run")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
