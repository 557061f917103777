"""Web server, worker and schedule as threads of one process, and the schedule alone. Used by `up`, `web` and `beat`."""

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from celery import signals
from celery._state import get_current_app
from celery.beat import Service
from celery.worker import WorkController, state
from django_celery_beat.schedulers import DatabaseScheduler
from waitress.server import create_server

from config.kernel.desk import connections
from config.kernel.flow import schedules
from config.kernel.flow.errors import capture
from config.kernel.management import bodies

log = logging.getLogger("kernel.processes")

WEB_THREADS = 8
WORKER_THREADS = 4
QUEUES = ("default", "deliveries", "actions")
# After the database or the broker was away, the schedule starts again this much later.
BEAT_PAUSE_SECONDS = 2.0
BEAT_LOOP_SECONDS = 1
# More than this waits in a queue only when nobody takes from it.
MOST_WAITING = 100


class PortTaken(Exception):
    """Somebody else listens on the address."""


def check_port(host: str, port: int) -> None:
    """Raise PortTaken when `host:port` cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise PortTaken(
            f"Steward cannot listen on {host}:{port} ({error.strerror or error}). Stop what uses it, or choose another PORT."
        ) from None


class Part:
    """One thread of the house; `stop` asks it to end, `join` waits."""

    def __init__(self, name: str) -> None:
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self.thread.start()

    def stop(self) -> None:
        """Ask it to end."""

    def join(self, seconds: float) -> bool:
        """Wait for its end; whether it came within `seconds`."""
        self.thread.join(seconds)
        return not self.thread.is_alive()

    def work(self) -> None:
        """What the thread does until it is stopped."""

    def _run(self) -> None:
        with capture("process.part_failed", part=self.thread.name) as caught:
            self.work()
        self.failure = caught.error


class Web(Part):
    """Waitress. The address is bound when this is made; connections wait until it starts."""

    def __init__(self, *, host: str, port: int, threads: int = WEB_THREADS) -> None:
        super().__init__("web")
        from django.core.wsgi import get_wsgi_application

        # poll, because select cannot watch more than 1,024 sockets and deliveries open many.
        self.server = create_server(
            get_wsgi_application(),
            host=host,
            port=port,
            threads=threads,
            ident="Steward",
            connection_limit=500,
            channel_timeout=60,
            # `bodies` has the limits.
            max_request_body_size=sys.maxsize,
            clear_untrusted_proxy_headers=False,
            asyncore_use_poll=True,
        )
        bodies.ask_first(self.server)

    def work(self) -> None:
        """Serve until the listening socket is closed."""
        self.server.run()

    def stop(self) -> None:
        """Take no new connections and drop those that idle."""
        self.server.close()
        self.server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)


class Worker(Part):
    """A Celery worker with a pool of threads."""

    def __init__(self, *, concurrency: int = WORKER_THREADS) -> None:
        super().__init__("worker")
        self.concurrency = concurrency
        self.ready = threading.Event()

    def work(self) -> None:
        """Take messages until it is stopped."""
        app = get_current_app()
        app.finalize()
        app.set_current()
        controller = _Controller(
            app=app,
            hostname=f"embedded@{socket.gethostname()}",
            pool_cls="threads",
            concurrency=self.concurrency,
            queues=",".join(QUEUES),
            without_heartbeat=True,
            without_gossip=True,
            without_mingle=True,
            without_remote_control=True,
        )
        controller.when_ready = self.ready.set
        controller.start()

    def stop(self) -> None:
        """No further message is taken; running ones end."""
        state.should_stop = 0  # type: ignore[assignment]  # an exit status; None means go on


class _Controller(WorkController):
    """Celery's own, without the signal handlers that only a main thread may set."""

    when_ready: Callable[[], None]

    def on_consumer_ready(self, consumer: Any) -> None:
        """Tell those who listen, as a worker with a process of its own does."""
        signals.worker_ready.send(sender=consumer)
        self.when_ready()


class Schedule(DatabaseScheduler):  # type: ignore[misc]  # it ships no types
    """Sends nothing to a queue that nobody empties: whoever comes back would first have to throw away a day's messages, one by one."""

    def tick(self, *args: Any, **options: Any) -> Any:
        """As Celery's, on a connection that nobody wants renewed."""
        connections.heed()
        return super().tick(*args, **options)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> Any:
        """As Celery's, or None where too many wait already."""
        queue = entry.options.get("queue") or self.app.conf.task_default_queue
        if producer is not None and producer.channel.queue_declare(queue=queue).message_count >= MOST_WAITING:
            log.warning("beat.nobody_takes", extra={"context": {"queue": queue, "entry": entry.name}})
            return None
        return super().apply_async(entry, producer=producer, advance=advance, **options)


class Beat(Part):
    """The schedule. Starts its loop again when the database or the broker was away."""

    def __init__(self) -> None:
        super().__init__("beat")
        self.stopped = threading.Event()
        self.service: Service | None = None

    def work(self) -> None:
        """Send what is due until it is stopped."""
        while not self.stopped.is_set():
            with capture("beat.loop_failed"):
                connections.heed()
                schedules.follow()
                self.service = Service(app=get_current_app(), max_interval=BEAT_LOOP_SECONDS, scheduler_cls=Schedule)
                if not self.stopped.is_set():
                    self.service.start()
            self.stopped.wait(BEAT_PAUSE_SECONDS)

    def stop(self) -> None:
        """Ends within the second it may be sleeping."""
        self.stopped.set()
        if self.service is not None:
            self.service.stop()
