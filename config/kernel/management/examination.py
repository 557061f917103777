"""What `manage.py doctor` looks at: one function per topic, each finding with what to do about it. Changes nothing."""

import os
import platform
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import redis
from celery._state import get_current_app
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import KombuError

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.models import Event
from config.kernel.plugins.contracts import duties
from config.kernel.watch import heartbeat, probes
from config.kernel.wire import redact

GOOD, DOUBTFUL, BAD = "ok", "warning", "failed"
OLDEST_POSTGRES, OLDEST_REDIS = 15, 7
LITTLE_DISK_BYTES = 500 * 1024 * 1024
SECONDS = 3.0
QUEUES = ("default", "deliveries", "actions")
# What the server says of a refused log-in is text only: its client library passes no code on.
REFUSALS = (
    ("authentication failed", "authentication failed", "Correct user and password in DATABASE_URL."),
    ("no password supplied", "authentication failed", "Put the password into DATABASE_URL."),
    ("does not exist", "there is no such database or role", "Create it, or correct the name in DATABASE_URL."),
    ("too many clients", "the server has no free connection", "Raise its max_connections, or run fewer processes."),
    ("remaining connection slots", "the server has no free connection", "Raise its max_connections, or run fewer processes."),
)


@dataclass(frozen=True)
class Finding:
    """One line of the page. `status` is `ok`, `warning` or `failed`; `advice` what to do about it."""

    topic: str
    name: str
    status: str
    detail: str
    advice: str = ""


def system() -> Iterator[Finding]:
    """This machine and this installation."""
    version = platform.python_version()
    is_fit = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Finding("system", "python", GOOD if is_fit else BAD, version, "" if is_fit else "Use Python 3.11 to 3.14.")
    yield _disk()
    yield _load()
    yield _secrets_file()
    yield from _overrides()


def database() -> Iterator[Finding]:
    """Reachable, new enough, migrated."""
    given = settings.DATABASES["default"]
    problem = _database_problem(given)
    if problem is not None:
        yield problem
        return
    yield from _database_version()
    yield _migrations()


def redis_server() -> Iterator[Finding]:
    """Broker, cache and shared limits of a larger installation."""
    if not settings.REDIS_URL:
        yield Finding("redis", "connection", GOOD, "not used (REDIS_URL is not set)")
        return
    try:
        with probes.redis_client() as client:
            started = time.perf_counter()
            client.ping()
            latency = (time.perf_counter() - started) * 1000
            version = str(client.info("server")["redis_version"])
    except redis.AuthenticationError as error:
        yield Finding("redis", "connection", BAD, f"authentication failed: {_line(error)}", "Correct REDIS_URL or REDIS_PASSWORD.")
    except (redis.RedisError, OSError, ValueError) as error:
        yield Finding("redis", "connection", BAD, _line(error), "Start Redis, or correct REDIS_URL.")
    else:
        yield Finding("redis", "connection", GOOD, f"PONG in {latency:.1f} ms from {redact.url(settings.REDIS_URL)}")
        is_new = int(version.partition(".")[0]) >= OLDEST_REDIS
        yield Finding("redis", "version", GOOD if is_new else BAD, version, "" if is_new else f"Use Redis {OLDEST_REDIS} or newer.")


def celery() -> Iterator[Finding]:
    """Workers, what they are at, and what waits for them."""
    try:
        workers = heartbeat.alive()
        oldest = Event.objects.filter(routed_at__isnull=True).order_by("id").values_list("created_at", flat=True).first()
        due = {key: duty.due_count(clock.now()) for key, duty in duties.all().items()}
    except Error as error:
        yield Finding("celery", "workers", BAD, f"the database does not answer: {_line(error)}", "See `manage.py doctor database`.")
        return
    taken = {queue for worker in workers for queue in worker.queues}
    for queue in QUEUES:
        names = ", ".join(worker.name for worker in workers if queue in worker.queues)
        advice = "" if queue in taken else heartbeat.advice(queue)
        yield Finding("celery", f"workers of {queue}", GOOD if names else BAD, names or "none alive", advice)
    yield _backlog(oldest)
    yield Finding("celery", "due", GOOD, ", ".join(f"{key} {count}" for key, count in due.items() if count) or "nothing")
    if settings.REDIS_URL:
        yield from _broker()


TOPICS: dict[str, Callable[[], Iterator[Finding]]] = {"system": system, "database": database, "redis": redis_server, "celery": celery}


def examine(topic: str = "") -> list[Finding]:
    """The findings of one topic, or of all; a topic whose look fails is a finding too."""
    found: list[Finding] = []
    for name in [topic] if topic else TOPICS:
        with capture("doctor.topic_failed", topic=name) as caught:
            found += TOPICS[name]()
        if caught.error is not None:
            found.append(Finding(name, "examination", BAD, _line(caught.error), "This is a mistake of ours; the log has the rest."))
    return found


def _database_problem(given: dict[str, Any]) -> Finding | None:
    """Why there is no connection: a bad address, nobody listening, or a refused log-in. None when there is one."""
    host, port = str(given.get("HOST") or ""), int(given.get("PORT") or 5432)
    if given["ENGINE"].endswith("postgresql") and host and not host.startswith("/"):
        try:
            socket.create_connection((host, port), timeout=SECONDS).close()
        except socket.gaierror:
            return Finding("database", "connection", BAD, f"there is no host {host!r}", "Correct DATABASE_URL.")
        except OSError as error:
            detail = f"{host}:{port} does not answer: {error.strerror or 'timed out'}"
            return Finding("database", "connection", BAD, detail, "Start PostgreSQL, or correct DATABASE_URL.")
    try:
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return _refusal(_line(error))
    latency = (time.perf_counter() - started) * 1000
    return _slow(latency) if latency > SECONDS * 1000 else None


def _refusal(text: str) -> Finding:
    for sign, detail, advice in REFUSALS:
        if sign in text:
            return Finding("database", "connection", BAD, f"{detail}: {text}", advice)
    return Finding("database", "connection", BAD, text, "Correct DATABASE_URL, or look at the server's log.")


def _slow(latency: float) -> Finding:
    return Finding("database", "connection", DOUBTFUL, f"answers after {latency:.0f} ms", "Look at the server's load and the network.")


def _database_version() -> Iterator[Finding]:
    name = connection.settings_dict["NAME"]
    where = f"{connection.settings_dict['HOST'] or 'local'}/{name}" if connection.vendor == "postgresql" else str(name)
    yield Finding("database", "connection", GOOD, f"{connection.display_name} answers ({where})")
    yield _version(connection.vendor, connection.get_database_version())


def _version(vendor: str, version: tuple[int, ...]) -> Finding:
    is_new = vendor != "postgresql" or version[0] >= OLDEST_POSTGRES
    text = ".".join(str(part) for part in version)
    return Finding("database", "version", GOOD if is_new else BAD, text, "" if is_new else f"Use PostgreSQL {OLDEST_POSTGRES} or newer.")


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        return Finding("database", "migrations", BAD, f"{len(waiting)} are not applied", "Run `manage.py migrate`.")
    return Finding("database", "migrations", GOOD, "all applied")


def _backlog(oldest: Any) -> Finding:
    age = (clock.now() - oldest).total_seconds() if oldest else 0.0
    if age > probes.LATE.total_seconds():
        return Finding("celery", "unrouted events", BAD, f"the oldest waits for {age:.0f} s", "Is a worker of the queue default running?")
    return Finding("celery", "unrouted events", GOOD, f"the oldest waits for {age:.0f} s" if oldest else "none")


def _broker() -> Iterator[Finding]:
    """Messages waiting, and what the workers say they are at."""
    try:
        with probes.redis_client() as client:
            sizes = {queue: int(client.llen(queue)) for queue in QUEUES}
        answers = get_current_app().control.inspect(timeout=1.0).active() or {}
    except (redis.RedisError, KombuError, OSError) as error:
        yield Finding("celery", "broker", BAD, _line(error), "See `manage.py doctor redis`.")
        return
    yield Finding("celery", "queues", GOOD, ", ".join(f"{queue} {size}" for queue, size in sizes.items()))
    running = [f"{task['name']}{list(task['args'])} on {worker}" for worker, tasks in answers.items() for task in tasks]
    yield Finding("celery", "active tasks", GOOD, ", ".join(running) or "none")


def _disk() -> Finding:
    free = shutil.disk_usage(settings.DATA_DIR).free
    detail = f"{free / 1024**3:.1f} GB free in {settings.DATA_DIR}"
    if not os.access(settings.DATA_DIR, os.W_OK):
        return Finding("system", "data folder", BAD, f"{settings.DATA_DIR} cannot be written", "Make it writable for this user.")
    return Finding(
        "system", "data folder", DOUBTFUL if free < LITTLE_DISK_BYTES else GOOD, detail, "Make room." if free < LITTLE_DISK_BYTES else ""
    )


def _load() -> Finding:
    """CPU, memory, disk and network at a glance (S1-115)."""
    memory, disk, network = psutil.virtual_memory(), psutil.disk_io_counters(), psutil.net_io_counters()
    parts = [f"CPU {psutil.cpu_percent(interval=0.1):.0f} %", f"memory {memory.percent:.0f} % of {memory.total / 1024**3:.1f} GB"]
    if disk:
        parts.append(f"disk read {disk.read_bytes / 1024**2:.0f} MB, written {disk.write_bytes / 1024**2:.0f} MB")
    parts.append(f"network in {network.bytes_recv / 1024**2:.0f} MB, out {network.bytes_sent / 1024**2:.0f} MB")
    return Finding(
        "system", "load", DOUBTFUL if memory.percent > 95 else GOOD, "; ".join(parts), "Memory is short." if memory.percent > 95 else ""
    )


def _secrets_file() -> Finding:
    path = settings.DATA_DIR / "secrets.json"
    if not path.exists():
        return Finding("system", "secrets", GOOD, "from the environment")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("system", "secrets", BAD, f"{path} can be read by others (mode {mode:o})", f"Run `chmod 600 {path}`.")
    return Finding("system", "secrets", GOOD, f"{path}, mode {mode:o}")


def _overrides() -> Iterator[Finding]:
    """The ways round HTTPS and the address guard, so that nobody forgets that they are open."""
    if settings.WEBHOOK_ALLOW_HTTP:
        yield Finding(
            "system", "WEBHOOK_ALLOW_HTTP", DOUBTFUL, "deliveries may go over plain http", "Remove it when every receiver has https."
        )
    for name in ("WEBHOOK_ALLOWED_NETWORKS", "STEWARD_TRUSTED_TARGETS"):
        given = [redact.url(entry) for entry in getattr(settings, name)]
        if given:
            yield Finding("system", name, DOUBTFUL, f"past the address guard: {', '.join(given)}", "Keep it as short as possible.")


def _line(error: BaseException) -> str:
    """The first line of an error, without secrets."""
    text = str(error).strip() or type(error).__name__
    return redact.text(text.splitlines()[0])[:300]
