"""`manage.py web`: pages, API and inbound requests. Any number may run."""

import importlib.util
import os
import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.management import processes

MOST_WORKERS = 4
THREADS = 8
KILL_SECONDS = 30


class Command(BaseCommand):
    """Granian where it is installed, with several processes; else waitress with one."""

    help = "Serve on HOST:PORT: granian where it is installed (requirements/production.txt), else waitress."

    def add_arguments(self, parser: CommandParser) -> None:
        default = min(MOST_WORKERS, os.cpu_count() or 1)
        parser.add_argument("--workers", type=int, default=default, metavar="N", help=f"Processes (granian only); the default here is {default}.")
        parser.add_argument("--waitress", action="store_true", help="Use waitress although granian is installed.")

    def handle(self, *args: Any, **given: Any) -> None:
        if given["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        try:
            processes.check_port(settings.HOST, settings.PORT)
        except processes.PortTaken as taken:
            raise CommandError(str(taken)) from None
        where = f"http://{settings.HOST}:{settings.PORT}"
        if importlib.util.find_spec("granian") and not given["waitress"]:
            self.stderr.write(f"Serving on {where} with granian, {given['workers']} processes.")
            command = _granian(given["workers"])
            os.execv(command[0], command)  # noqa: S606 - granian handles the signals itself
        self.stderr.write(f"Serving on {where} with waitress, one process. For several, install requirements/production.txt.")
        _serve()


def _granian(workers: int) -> list[str]:
    options = {
        "--interface": "wsgi",
        "--host": settings.HOST,
        "--port": settings.PORT,
        "--workers": workers,
        "--blocking-threads": THREADS,
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
