"""A whole installation of real processes on the present stand: one on SQLite (`up`), five on PostgreSQL and Redis."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import environment, servers

ROOT = environment.ROOT
SEPARATE = {
    "web": ["web", "--workers", "1"],
    "worker": ["worker", "--concurrency", "2"],
    "deliveries": ["worker", "--queue", "deliveries"],
    "beat": ["beat"],
}
TOGETHER = {"up": ["up"]}


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

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *words: str) -> str:
        """Run one management command to its end; what it printed."""
        done = subprocess.run(self._words(words), env=self.environ, cwd=ROOT, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (words, done.stdout.decode(), done.stderr.decode())
        return done.stdout.decode()

    def start(self, name: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(
            self._words(self.commands[name]),
            env=self.environ,
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
def installation(folder: Path, **extra: str) -> Iterator[Stack]:
    """Migrated, started, healthy, with a token; everything is ended afterwards."""
    port = servers.free_port()
    with environment.database() as database_url:
        settings = {
            "PORT": str(port),
            "STEWARD_BOOTSTRAP": "off",
            "ADMIN_PASSWORD": "correct horse battery",
            "GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
            "WEBHOOK_ALLOW_HTTP": "true",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            **extra,
        }
        environ = environment.of_process(folder / "data", database_url=database_url, **settings)
        stack = Stack(folder, environ, SEPARATE if database_url else TOGETHER, port)
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
        stack.manage("shell", "-c", MAKE_ADMIN)
    for name in stack.commands:
        stack.start(name)
    until(lambda: is_healthy(stack), seconds=60, what="/health answering healthy")
    stack.token = json.loads(stack.manage("create_token", "admin", "--json"))["token"]


MAKE_ADMIN = """
from django.contrib.auth.models import User
User.objects.create_superuser("admin", "", "correct horse battery")
"""


def is_healthy(stack: Stack) -> bool:
    """Whether `/health` says so."""
    try:
        return bool(stack.call("/health").json()["status"] == "healthy")
    except (OSError, ValueError):
        return False
