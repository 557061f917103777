"""A whole installation of real processes on the present stand: one on SQLite (`up`), five on PostgreSQL and Redis."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.support import environment, servers

ROOT = environment.ROOT
SEPARATE = {
    "web": ["web", "--workers", "1"],
    "worker": ["worker", "--concurrency", "2"],
    "deliveries": ["worker", "--queue", "deliveries"],
    "actions": ["worker", "--queue", "actions"],
    "beat": ["beat"],
}
TOGETHER = {"up": ["up", "--json"]}


@dataclass
class Answer:
    """A reply of ours."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stack:
    """Running processes, by name. `environ` is what each of them is started with."""

    folder: Path
    environ: dict[str, str]
    commands: dict[str, list[str]]
    port: int
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    token: str = ""
    own: servers.Servers | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *words: str) -> str:
        """Run one management command to its end; what it printed."""
        done = subprocess.run(self._words(words), env=self.environ, cwd=ROOT, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (words, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def start(self, name: str, **extra: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(
            self._words(self.commands[name]),
            env={**self.environ, **extra},
            cwd=ROOT,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        log.close()

    def kill(self, name: str) -> None:
        """`kill -9`, the process and whatever it started."""
        process = self.running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart(self, name: str) -> None:
        """`kill -9`, and started again at once."""
        self.kill(name)
        self.start(name)

    def memory(self) -> dict[str, int]:
        """Bytes of memory that each running part uses, its child processes included."""
        return {name: _resident(process.pid) for name, process in list(self.running.items())}

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement finds in the database, asked beside the processes; values stand for `%s`, a percent sign is written twice."""
        if url := self.environ.get("DATABASE_URL", ""):
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                found = connection.execute(statement, values)  # type: ignore[call-overload]
                return list(found.fetchall()) if found.description else []
        with contextlib.closing(sqlite3.connect(Path(self.environ["DATA_DIR"]) / "steward.sqlite3", timeout=20)) as file, file:
            return file.execute(statement.replace("%s", "?").replace("%%", "%"), values).fetchall()

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for name in list(self.running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running[name].wait(10)
            self.kill(name)

    def call(self, path: str, body: Any = None, *, method: str = "", headers: dict[str, str] | None = None) -> Answer:
        """One request with the administrator's token; a body makes it a POST."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", **(headers or {})}
        request = urllib.request.Request(self.url + path, content, sent, method=method or ("GET" if content is None else "POST"))
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read(), dict(error.headers))

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def _words(self, words: tuple[str, ...] | list[str]) -> list[str]:
        return [sys.executable, "manage.py", *words]


def _resident(pid: int) -> int:
    found = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += process.memory_info().rss
    return found


def until(condition: Callable[[], Any], *, seconds: float = 30, what: str = "it") -> Any:
    """Wait for something true, looking ten times a second; fails with `what` when it does not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {seconds} s")


@contextlib.contextmanager
def installation(folder: Path, *, own: servers.Servers | None = None, **extra: str) -> Iterator[Stack]:
    """Migrated, started, healthy, with a token; everything is ended afterwards.

    `own`: servers that the caller started for this installation alone, and may stop; otherwise those of the present stand.
    """
    port = servers.free_port()
    with contextlib.nullcontext(own.database_url) if own else environment.database() as database_url:
        settings = {
            "PORT": str(port),
            "STEWARD_BOOTSTRAP": "off",
            "ADMIN_PASSWORD": "correct horse battery",
            "GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
            "WEBHOOK_ALLOW_HTTP": "true",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **({"REDIS_URL": own.redis_url} if own else {}),
            **extra,
        }
        environ = environment.of_process(folder / "data", database_url=database_url, **settings)
        stack = Stack(folder, environ, SEPARATE if database_url else TOGETHER, port, own=own)
        try:
            _begin(stack)
            yield stack
        except BaseException:
            print(stack.logs())  # noqa: T201 - the only trace of what the processes said
            raise
        finally:
            stack.stop()


def _begin(stack: Stack) -> None:
    if "web" in stack.commands:
        stack.manage("migrate", "--noinput")
        stack.token = stack.manage("shell", "-v", "0", "-c", MAKE_ADMIN).strip()
    for name in stack.commands:
        stack.start(name)
    until(lambda: is_healthy(stack) or _ended(stack), seconds=90, what="/health answering healthy")
    assert not _ended(stack), f"{', '.join(_ended(stack))} ended at once"
    stack.token = stack.token or _first_words(stack)["token"]


def _ended(stack: Stack) -> list[str]:
    """The parts that are running no more: waiting for them is in vain."""
    return [name for name, process in stack.running.items() if process.poll() is not None]


def _first_words(stack: Stack) -> Any:
    """What `up` says when it is ready for the first time."""
    lines = (stack.folder / "up.log").read_text().splitlines()
    return json.loads(next(line for line in lines if line.startswith('{"url"')))


MAKE_ADMIN = """
from django.contrib.auth.models import User
from config.kernel.desk import tokens
user = User.objects.create_superuser("admin", "", "correct horse battery")
print(tokens.create(user, name="first start")[1])
"""


def is_healthy(stack: Stack) -> bool:
    """Whether `/health` says so."""
    try:
        return bool(stack.call("/health").json()["status"] == "healthy")
    except (OSError, ValueError):
        return False
