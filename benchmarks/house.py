"""The installation that is measured: real processes on PostgreSQL and Redis, all on loopback, ended with the block. Used by `run`."""

import contextlib
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import redis

from benchmarks import payloads
from benchmarks.loader import Plan
from benchmarks.machine import Meter
from benchmarks.payloads import Wanted
from tests.support import environment, servers
from tests.support.stack import MAKE_ADMIN, Stack, is_healthy, until

BATCH = 500
START_SECONDS = 180
SECRET = "It's a Secret to Everybody"  # noqa: S105 - the one in GitHub's own documentation
COMMANDS = {
    "web": ["web"],
    "worker": ["worker", "--concurrency", "2"],
    **{f"deliveries-{number}": ["worker", "--queue", "deliveries"] for number in range(1, 5)},
    **{f"actions-{number}": ["worker", "--queue", "actions"] for number in range(1, 5)},
    "beat": ["beat"],
}
# What is left out of the measurement: the limits that exist to keep a single sender from doing this. They are asked all the same.
LIMITS = {"INBOUND_RATE_PER_SECOND": "100000", "INBOUND_RATE_BURST": "100000", "API_RATE_PER_MINUTE": "1000000"}


class NotEmpty(Exception):
    """The given Redis database is somebody's."""


@dataclass
class House:
    """What scenarios work with: processes by name, a connection to look at rows, the receiver."""

    stack: Stack
    rows: "psycopg.Connection[Any]"
    receiver: "Receiver"
    database_url: str
    redis_url: str
    folder: Path

    def load(self, wanted: Wanted, *, rate: float, seconds: float, connections: int) -> dict[str, Any]:
        """Run the loader to its end; its result."""
        plan = Plan(port=self.stack.port, rate=rate, seconds=seconds, connections=connections, wanted=wanted)
        return run_module("benchmarks.loader", orjson.dumps(asdict(plan)), self.stack.environ, seconds=seconds + 120)

    def wanted(self, kind: str, prefix: str, **more: Any) -> Wanted:
        """What the loader is to send, with this house's address and credentials."""
        return Wanted(kind, f"127.0.0.1:{self.stack.port}", prefix, token=self.stack.token, secret=SECRET, **more)

    def meter(self, **more: int) -> Meter:
        """Starts to count processor time, of the house and of `more` (name → process id)."""
        mine = {name: process.pid for name, process in self.stack.running.items()}
        pid = self.rows.execute("SELECT pg_backend_pid()").fetchone()
        return Meter({**mine, "receiver": self.receiver.process.pid, **_server_pids(pid[0] if pid else 0), **more})

    def make_type(self, name: str) -> None:
        """An event type of that name, without a schema."""
        self._must("/api/v1/webhooks/event-types", {"name": name}, (201, 409))

    def make_endpoint(self, path: str, type: str, **more: Any) -> str:
        """An endpoint at the receiver's `path` that hears `type`; its id."""
        answer = self._must("/api/v1/webhooks/endpoints", {"url": self.receiver.url(path), "events": [type], **more}, (201,))
        return str(answer["id"])

    def pause(self, endpoint: str) -> None:
        """Hold its deliveries."""
        self._must(f"/api/v1/webhooks/endpoints/{endpoint}/pause", {"reason": "bench"}, (200, 202, 204))

    def resume(self, endpoint: str) -> None:
        """Let them go."""
        self._must(f"/api/v1/webhooks/endpoints/{endpoint}/resume", {}, (200, 202, 204))

    def remove(self, endpoint: str) -> None:
        """Deliver nothing to it any more."""
        self.stack.call(f"/api/v1/webhooks/endpoints/{endpoint}", method="DELETE")

    def publish(self, prefix: str, type: str, count: int) -> int:
        """Publish so many events by the batch route; how many were created."""
        names = [f"{prefix}{number}" for number in range(count)]
        created = 0
        for start in range(0, count, BATCH):
            sent = [{"type": type, "id": name, "data": payloads.data(name)} for name in names[start : start + BATCH]]
            created += int(self._must("/api/v1/events/batch", {"events": sent}, (202,))["created"])
        return created

    def deliver_with(self, count: int) -> None:
        """Have exactly `count` deliveries workers."""
        self._have("deliveries", count)

    def act_with(self, count: int) -> None:
        """Have exactly `count` workers for actions, ready."""
        self._have("actions", count)
        workers = "SELECT COUNT(*) FROM kernel_lease WHERE name LIKE 'worker:actions:%%' AND until > now()"
        until(lambda: self.number(workers) >= count, seconds=60, what="the workers for actions")

    def _have(self, queue: str, count: int) -> None:
        there = sorted(name for name in self.stack.running if name.startswith(f"{queue}-"))
        for name in there[count:]:
            self.stack.running[name].terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stack.running[name].wait(10)
            self.stack.kill(name)
        for number in range(len(there), count):
            self.stack.start(f"{queue}-{number + 1}")

    def number(self, statement: str, *parameters: Any) -> float:
        """The one number that a statement answers."""
        row = self.rows.execute(statement, parameters).fetchone()  # type: ignore[call-overload]
        return float(row[0] or 0) if row else 0.0

    def until_quiet(self, *, seconds: float = 60) -> None:
        """Wait until every event is routed."""
        until(lambda: not self.number("SELECT COUNT(*) FROM kernel_event WHERE routed_at IS NULL"), seconds=seconds, what="routing")

    def _must(self, path: str, body: Any, good: Sequence[int]) -> Any:
        answer = self.stack.call(path, body)
        if answer.status not in good:
            raise RuntimeError(f"{path} answered {answer.status}: {answer.body[:500]!r}")
        return answer.json() if answer.body else {}


class Receiver:
    """The process that takes deliveries."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receiver"],
            cwd=environment.ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.port = int(self._line())

    def url(self, path: str) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"

    def report(self) -> dict[str, Any]:
        """`first`: path → id → when it came (monotonic seconds); `repeats`: how many came again. Since the last report."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"report\n")
        self.process.stdin.flush()
        found: dict[str, Any] = orjson.loads(self._line())
        return found

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@contextlib.contextmanager
def installed(*, database_url: str, redis_url: str) -> Iterator[House]:
    """A migrated database of its own, web, worker, beat, a worker for deliveries and one for actions.

    Raises servers.Unavailable and NotEmpty.
    """
    with contextlib.ExitStack() as stack:
        _check_empty(redis_url)
        given = stack.enter_context(servers.running(database_url=database_url, redis_url=redis_url, is_durable=True))
        fresh = stack.enter_context(_database(given.database_url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steward-bench-")))
        stack.callback(_empty, given.redis_url)
        port = servers.free_port()
        settings = {
            **LIMITS,
            "PORT": str(port),
            "REDIS_URL": given.redis_url,
            "STEWARD_BOOTSTRAP": "off",
            "ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "WEBHOOK_ALLOW_HTTP": "true",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "STEWARD_APPS": "tests.support.acting",
            "ACTION_MAX_CONCURRENT": "50",
            "AUTOMATION_MAX_CONCURRENT": "50",
        }
        house_environ = environment.of_process(folder / "data", database_url=fresh, **settings)
        processes = Stack(folder, house_environ, COMMANDS, port)
        receiver = Receiver(house_environ)
        stack.callback(receiver.stop)
        stack.callback(processes.stop)
        rows = stack.enter_context(psycopg.connect(fresh, autocommit=True))
        house = House(processes, rows, receiver, fresh, given.redis_url, folder)
        try:
            _begin(house)
            yield house
        except BaseException:
            print(processes.logs(), file=sys.stderr)
            raise


def run_module(module: str, given: bytes, environ: dict[str, str], *, seconds: float, words: Sequence[str] = ()) -> dict[str, Any]:
    """Run `python -m module` with `given` on its input; the JSON that it prints last. Raises RuntimeError with what it said."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        input=given,
        cwd=environment.ROOT,
        env=environ,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr.decode()[-2000:]}")
    found: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return found


def _begin(house: House) -> None:
    stack = house.stack
    stack.manage("migrate", "--noinput")
    for name in ("web", "worker", "beat"):
        stack.start(name)
    house.deliver_with(1)
    house.act_with(1)
    stack.token = stack.manage("shell", "-v", "0", "-c", MAKE_TOKEN).strip().splitlines()[-1]
    until(lambda: is_healthy(stack), seconds=START_SECONDS, what="/health answering healthy")


# One start of Python instead of two: on a busy machine each takes seconds.
MAKE_TOKEN = f"""{MAKE_ADMIN}
from config.kernel.desk import tokens
print(tokens.create(User.objects.get(username="admin"), name="bench")[1])
"""


@contextlib.contextmanager
def _database(url: str) -> Iterator[str]:
    """A database of our own on that server, dropped afterwards."""
    base, _, _ = url.rpartition("/")
    name = f"steward_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    try:
        yield f"{base}/{name}"
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')  # type: ignore[arg-type]


def _check_empty(redis_url: str) -> None:
    if redis_url:
        with redis.Redis.from_url(redis_url) as client:
            if client.dbsize():
                raise NotEmpty(
                    f"The Redis database of {re.sub('//.*@', '//', redis_url)} is in use. Give the benchmark an empty one, such as …/9."
                )


def _empty(redis_url: str) -> None:
    """It was empty when we came."""
    with contextlib.suppress(redis.RedisError), redis.Redis.from_url(redis_url) as client:
        client.flushdb()


def _server_pids(backend: int) -> dict[str, int]:
    """The PostgreSQL server's process where it runs on this machine."""
    import psutil

    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(backend).parent()
        if parent and "postgres" in parent.name():
            return {"postgres": parent.pid}
    return {}
