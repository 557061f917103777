"""`manage.py up`: everything in one process, on SQLite unless told otherwise. The first command a new user types."""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from config.kernel.desk import tokens
from config.kernel.flow.errors import capture
from config.kernel.management import processes
from config.kernel.plugins.contracts import Start, Try, starters
from config.kernel.watch import metrics

ADMINISTRATOR = "admin"
READY_SECONDS = 20
# Together less than four seconds. What is cut off has a lease that runs out, and is taken up at the next start.
STOP_SECONDS = 2.5


@dataclass(frozen=True)
class Login:
    """What the first start makes and shows once."""

    password: str
    token: str


class Command(BaseCommand):
    """Migrates, makes what is missing, then runs web, worker and schedule until Ctrl-C."""

    help = "Start Steward: web, worker and schedule in one process. Data lie in DATA_DIR, PORT is where it listens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="Print one line of JSON when ready: url, user, password, token."
        )

    def handle(self, *args: Any, **given: Any) -> None:
        started, self.as_json = time.monotonic(), bool(given["as_json"])
        if not settings.EMBEDDED:
            raise CommandError("`up` must be started as `python3 manage.py up`, so that the settings know of it.")
        try:
            processes.check_port(settings.HOST, settings.PORT)
            login = self._prepare()
            web = processes.Web(host=settings.HOST, port=settings.PORT)
        except (processes.PortTaken, OSError) as taken:
            raise CommandError(str(taken)) from None
        stopped = _stop_signals()
        worker, beat = processes.Worker(), processes.Beat()
        parts: Sequence[processes.Part] = (worker, beat, web)
        worker.start()
        beat.start()
        # Requests wait at the open socket meanwhile: who is answered is answered by a whole house.
        worker.ready.wait(READY_SECONDS)
        web.start()
        self._ready(login, time.monotonic() - started)
        failed = _wait(stopped, parts)
        self._say("Stopping …")
        _end(parts)
        self._say("Stopped." if not failed else f"Stopped, because {failed} had ended.")
        _leave(1 if failed else 0)

    def _prepare(self) -> "Login | None":
        self._say(f"Data: {settings.DATA_DIR}. Preparing the database …")
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except Error as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CommandError(f"The database cannot be prepared: {reason}\n`manage.py doctor database` says more.") from None
        tries, login = _tries(), _make_administrator()
        # At once: what is generated here is kept nowhere.
        self._welcome(login, tries)
        connections.close_all()
        return login

    def _ready(self, login: "Login | None", seconds: float) -> None:
        if self.as_json:
            shown = {"url": settings.PUBLIC_URL, "user": ADMINISTRATOR, "password": None, "token": None, **(asdict(login) if login else {})}
            self.stdout.write(orjson.dumps({**shown, "seconds": round(seconds, 1)}).decode())
            self.stdout.flush()
        self._say(f"Ready after {seconds:.1f} s. Ctrl-C stops it; starting again goes on where it was.\n")

    def _say(self, text: str) -> None:
        if not self.as_json:
            self.stdout.write(text)
            self.stdout.flush()

    def _welcome(self, login: "Login | None", tries: Sequence[Try]) -> None:
        """Where to go, the password and the token once, and what to try."""
        lines = ["", f"  Dashboard   {settings.PUBLIC_URL}/", f"  API         {settings.PUBLIC_URL}/docs"]
        if login:
            token, password = login.token, "(from ADMIN_PASSWORD)" if settings.ADMIN_PASSWORD else login.password
            lines += [f"  User        {ADMINISTRATOR}", f"  Password    {password}", f"  API token   {token}"]
            lines += ["", "  Password and token are shown this once."]
        else:
            token = "$TOKEN"  # noqa: S105 - a variable of the shell
            lines += ["", f"  User and password are those of the first start; `manage.py changepassword {ADMINISTRATOR}` sets a new one."]
            lines += [f"  For a token: TOKEN=$(.venv/bin/python manage.py create_token {ADMINISTRATOR})"]
        if tries:
            lines += ["", "  To try in another terminal:"]
        for one in tries:
            lines += ["", f"  {one.title}", *(f"    {line}" for line in one.command.replace("{token}", token).splitlines())]
        self._say("\n".join([*lines, ""]))


def _tries() -> list[Try]:
    """What the apps suggest; one that cannot get ready does not keep the others from starting."""
    start, found = Start(f"http://127.0.0.1:{settings.PORT}"), list[Try]()
    for key, starter in starters.all().items():
        with capture("up.starter_failed", starter=key):
            found += starter(start)
    return found


def _make_administrator() -> "Login | None":
    """The first administrator's password and token, or None where there is one already."""
    if User.objects.filter(is_superuser=True).exists() or User.objects.filter(username=ADMINISTRATOR).exists():
        return None
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    user = User.objects.create_superuser(ADMINISTRATOR, password=password)
    return Login(password, tokens.create(user, name="first start")[1])


def _stop_signals() -> threading.Event:
    """Set by the first Ctrl-C or SIGTERM; the second ends the process at once."""
    stopped = threading.Event()

    def stop(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


def _wait(stopped: threading.Event, parts: Sequence[processes.Part]) -> str:
    """Until somebody asks for the end, or a part has ended by itself: then its name."""
    while not stopped.wait(1):
        for part in parts:
            if not part.thread.is_alive():
                return part.thread.name
    return ""


def _end(parts: Sequence[processes.Part]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for part in reversed(parts):
        with capture("process.stop_failed", part=part.thread.name):
            part.stop()
    for part in parts:
        part.join(max(0.1, deadline - time.monotonic()))
    with capture("metrics.last_flush_failed"):
        metrics.flush()


def _leave(code: int) -> None:
    """Without the interpreter's own wait for pool threads, which may be in a request of half a minute."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
