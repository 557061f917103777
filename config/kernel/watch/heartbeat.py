"""How everybody knows that workers are alive: each keeps a lease `worker:<queues>:<name>` from a thread of its main process.
Connected to Celery by the kernel's duties; read by the probe `celery` and by `doctor`."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection

from config.kernel.desk import connections
from config.kernel.flow import clock, leases
from config.kernel.flow.errors import capture
from config.kernel.models import Lease
from config.kernel.watch import health, metrics

log = logging.getLogger("kernel.heartbeat")

PREFIX = "worker:"
BEAT_SECONDS = 8.0
# Three beats and a little: after that a worker counts as gone.
ALIVE_SECONDS = 30.0


@dataclass(frozen=True)
class Worker:
    """A worker that was alive within the last thirty seconds."""

    name: str
    queues: tuple[str, ...]
    process: str
    seen_at: datetime


class Heartbeat:
    """One worker's. The thread beats while the pool drains, however long that takes."""

    def __init__(self, name: str, queues: list[str]) -> None:
        self.key = f"{PREFIX}{','.join(sorted(queues))}:{name}"[:160]
        self.stopped = threading.Event()
        self.lost_at: datetime | None = None

    def start(self) -> None:
        """Beat now, then every eight seconds in a thread of its own."""
        self.beat()
        threading.Thread(target=self._beat_for_ever, name="heartbeat", daemon=True).start()

    def beat(self) -> bool:
        """One beat. False when the database is away; the first beat after that says since when it was."""
        try:
            until = clock.now() + timedelta(seconds=ALIVE_SECONDS)
            Lease.objects.update_or_create(name=self.key, defaults={"until": until, "holder": leases.me(), "token": "-"})
        except Error as error:
            self.lost_at = self.lost_at or clock.now()
            log.warning("heartbeat.missed", extra={"context": {"worker": self.key, "error": type(error).__name__}})
            return False
        if self.lost_at:
            since, self.lost_at = self.lost_at, None
            health.was_away("database", since=since, detail=f"Workers could not reach the database from {clock.text(since)} on.")
        return True

    def _beat_for_ever(self) -> None:
        while not self.stopped.wait(BEAT_SECONDS):
            with capture("heartbeat.failed", worker=self.key):
                connections.heed()
                self.beat()


_beating: list[Heartbeat] = []


def alive() -> list[Worker]:
    """The workers that beat within the last thirty seconds, by name."""
    rows = Lease.objects.filter(name__startswith=PREFIX, until__gt=clock.now()).order_by("name")
    return [_worker(row) for row in rows]


def advice(queue: str = "default") -> str:
    """What to do when nobody takes `queue`: without Redis only `up` has workers."""
    if not settings.REDIS_URL:
        return "Start everything with `manage.py up`."
    return f"Start one: `manage.py worker --queue {queue}`."


def watch_workers() -> None:
    """Connect to Celery: a worker beats from the moment it is ready until it ends. Called once per process."""
    from celery import signals

    signals.worker_ready.connect(_ready, weak=False, dispatch_uid="kernel.heartbeat.ready")
    signals.worker_shutting_down.connect(_stopping, weak=False, dispatch_uid="kernel.heartbeat.stop")
    signals.task_postrun.connect(_task_ended, weak=False, dispatch_uid="kernel.heartbeat.count")
    signals.worker_process_shutdown.connect(_pool_process_ends, weak=False, dispatch_uid="kernel.heartbeat.flush")


def _ready(sender: Any = None, **_: Any) -> None:
    beating = Heartbeat(str(sender.hostname), [str(name) for name in sender.app.amqp.queues.consume_from])
    _beating.append(beating)
    beating.start()
    if not connection.in_atomic_block:
        connection.close()  # This thread needs no database from here on.


def _stopping(**_: Any) -> None:
    # The lease runs out by itself: a worker that is restarted at once was never missed.
    while _beating:
        _beating.pop().stopped.set()


def _task_ended(sender: Any = None, state: str | None = None, **_: Any) -> None:
    metrics.count("tasks_total", task=str(getattr(sender, "name", "")), outcome=str(state or "unknown").lower())


def _pool_process_ends(**_: Any) -> None:
    # Celery's pool processes end without the interpreter's own exit hooks.
    with capture("metrics.last_flush_failed"):
        metrics.flush()


def _worker(row: Lease) -> Worker:
    _, queues, name = row.name.split(":", 2)
    return Worker(name, tuple(queues.split(",")), row.holder, row.until - timedelta(seconds=ALIVE_SECONDS))
