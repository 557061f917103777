"""`manage.py worker`: takes nudges from Redis and does the work that rows ask for. Any number may run."""

import os
from typing import Any

from celery._state import get_current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

QUEUES = ("default", "deliveries", "actions")


class Command(BaseCommand):
    """A Celery worker with our settings."""

    help = "Run a worker. One queue each: `worker --queue deliveries` and `worker --queue actions` for those, `worker` for everything else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", choices=QUEUES, default="default", help="What it works at; the default is `default`.")
        parser.add_argument(
            "--concurrency", type=int, metavar="N", help="Processes at once (queue default only); the default is the number of cores."
        )

        parser.add_argument("--json", action="store_true", dest="as_json", help="Say in JSON what it works at.")

    def handle(self, *args: Any, **given: Any) -> None:
        if not settings.REDIS_URL:
            raise CommandError("Without REDIS_URL a worker hears no one. Set it, or use `manage.py up`, which needs none.")
        queue, concurrency = given["queue"], given["concurrency"]
        if concurrency is not None and concurrency < 1:
            raise CommandError("--concurrency must be at least 1.")
        self.stdout.write(
            f'{{"running": "worker", "queue": "{queue}"}}' if given["as_json"] else f"Working at the queue {queue}. Ctrl-C stops it."
        )
        self.stdout.flush()
        get_current_app().worker_main(_arguments(queue, concurrency or max(2, os.cpu_count() or 2)))


def _arguments(queue: str, concurrency: int) -> list[str]:
    # Deliveries overlap inside one event loop, actions in the executor's threads and children: one thread takes the nudges.
    pool = (
        ["--pool=threads", "--concurrency=1"] if queue in ("deliveries", "actions") else ["--pool=prefork", f"--concurrency={concurrency}"]
    )
    quiet = ["--without-gossip", "--without-mingle", f"--loglevel={settings.LOG_LEVEL}"]
    return ["--quiet", "worker", f"--queues={queue}", f"--hostname={queue}-{os.getpid()}@%h", *pool, *quiet]
