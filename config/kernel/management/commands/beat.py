"""`manage.py beat`: the schedule as a process of its own. Exactly one runs."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.management.processes import Beat

STOP_SECONDS = 10


class Command(BaseCommand):
    """Sends periodic messages to the workers; goes on by itself after the database or Redis was away."""

    help = "Run the schedule. Exactly one of these runs beside any number of `web` and `worker`; `up` has its own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="Say in JSON that it runs.")

    def handle(self, *args: Any, **given: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("Without REDIS_URL the schedule reaches no worker. Set it, or use `manage.py up`, which needs none.")
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        beat = Beat()
        beat.start()
        self.stdout.write('{"running": "beat"}' if given["as_json"] else "The schedule is running. Ctrl-C stops it.")
        self.stdout.flush()
        stopped.wait()
        beat.stop()
        beat.join(STOP_SECONDS)
