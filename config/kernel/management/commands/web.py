"""`manage.py web`: pages, API and inbound requests. Any number may run."""

import importlib.util
import os
import signal
import sys
import threading
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.management import processes

MOST_WORKERS = 4
# More of them queue for the interpreter instead of working: see docs/benchmarks.md.
MOST_THREADS = 4
KILL_SECONDS = 30


class Command(BaseCommand):
    """Granian where it is installed, with several processes; else waitress with one."""

    help = "Serve on HOST:PORT: granian where it is installed (requirements/production.txt), else waitress."

    def add_arguments(self, parser: CommandParser) -> None:
        default = min(MOST_WORKERS, os.cpu_count() or 1)
        parser.add_argument(
            "--workers", type=int, default=default, metavar="N", help=f"Processes (granian only); the default here is {default}."
        )
        parser.add_argument("--waitress", action="store_true", help="Use waitress although granian is installed.")

        parser.add_argument("--json", action="store_true", dest="as_json", help="Say in JSON where it serves and with what.")

    def handle(self, *args: Any, **given: Any) -> None:
        if given["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        try:
            processes.check_port(settings.HOST, settings.PORT)
        except processes.PortTaken as taken:
            raise CommandError(str(taken)) from None
        has_granian = bool(importlib.util.find_spec("granian")) and not given["waitress"]
        self._say("granian" if has_granian else "waitress", given["workers"] if has_granian else 1, as_json=given["as_json"])
        if has_granian:
            command = _granian(given["workers"])
            os.execv(command[0], command)  # noqa: S606 - granian handles the signals itself
        _serve()

    def _say(self, server: str, workers: int, *, as_json: bool) -> None:
        url = f"http://{settings.HOST}:{settings.PORT}"
        hint = " For several, install requirements/production.txt." if server == "waitress" else ""
        text = f"Serving on {url} with {server}, {workers} {'process' if workers == 1 else 'processes'}.{hint}"
        self.stdout.write(orjson.dumps({"running": "web", "url": url, "server": server, "workers": workers}).decode() if as_json else text)
        self.stdout.flush()


def _granian(workers: int) -> list[str]:
    options = {
        "--interface": "wsgi",
        "--host": settings.HOST,
        "--port": settings.PORT,
        "--workers": workers,
        "--blocking-threads": min(MOST_THREADS, 2 * (os.cpu_count() or 1) + 1),
        "--workers-kill-timeout": KILL_SECONDS,
        "--http": "1",
        "--log-level": "warning",
    }
    pairs = [str(part) for pair in options.items() for part in pair]
    return [sys.executable, "-m", "granian", *pairs, "--respawn-failed-workers", "--no-ws", "config.wsgi:application"]


def _serve() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    web = processes.Web(host=settings.HOST, port=settings.PORT)
    web.start()
    stopped.wait()
    web.stop()
