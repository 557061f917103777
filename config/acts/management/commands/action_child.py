"""`manage.py action_child N`: started by a worker, never by a person. Forks the processes in which actions run."""

import signal
import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.acts.management.child import Guardian


class Command(BaseCommand):
    """Listens on the socket that it was handed."""

    help = "Started by a worker to run actions in processes of their own; of no use in a terminal."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("socket", type=int, help="The number of the socket that the worker handed over.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Accepted for likeness; nothing is printed.")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            line = socket.socket(fileno=given["socket"])
        except OSError:
            raise CommandError("A worker starts this and hands over a socket. Start `manage.py worker --queue actions`.") from None
        # Who started us says when it is over; a Ctrl-C or a stop of the worker must not break off what may still end in time.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        with line:
            Guardian(line).watch()
