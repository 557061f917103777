"""The Celery application. Loaded by the Roof, so that every entry point has it."""

from typing import Any

from celery import Celery, signals
from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport.redis import Channel, QoS

# Celery itself waits longer each time, up to half a minute: as long as nothing is done after the broker is back.
RECONNECT_SECONDS = 2


class Impatient(Connection):
    """A connection to the broker that, once lost, is tried again every RECONNECT_SECONDS for ever."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """As kombu's, with pauses that do not grow."""
        pauses = {"interval_start": RECONNECT_SECONDS, "interval_step": 0, "interval_max": RECONNECT_SECONDS}
        return super().ensure_connection(*args, **{**options, **pauses})


class Wires(AMQP):
    """Celery's own, with our connection."""

    Connection = Impatient


class Acknowledging(QoS):
    """What was taken over a connection that is gone cannot be acknowledged any more; kombu raises then, which ends the worker."""

    def ack(self, delivery_tag: Any) -> None:
        """As kombu's, and nothing once the channel is closed: a task that outlived the broker's absence has ended all the same."""
        if self.channel.connection is not None:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """As `ack`."""
        if self.channel.connection is not None:
            super().reject(delivery_tag, requeue)


# Handing back unacknowledged messages while the broker is away raises inside kombu and ends the worker. Nothing is lost without it:
# a message is only a nudge, and the sweep finds what its rows ask for.
Channel.do_restore = False
Channel.QoS = Acknowledging

app = Celery("steward", amqp=Wires)
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery closes the database connection around each task; persistent ones are worth ten times the throughput.
app.conf.update({"CELERY_DB_REUSE_MAX": 10**12})
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """A listener here stops Celery from installing its own handlers."""


@signals.task_prerun.connect
def renew_connections(**_: Any) -> None:
    """A connection that failed, or that somebody wants renewed, is replaced before the next task."""
    from config.kernel.desk import connections  # rows, which this module must not need

    connections.heed()
