"""What carries messages: Redis where it is configured, and how many messages wait in each queue."""

from collections.abc import Mapping, Sequence
from typing import Any

from celery import current_app
from django.conf import settings

from config.kernel.flow import leases
from config.kernel.language.facts import Fact
from config.kernel.plugins.contracts import duties
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.watch import heartbeat, probes

QUEUES = Fact("celery.<queue>.waiting", about="Messages that no worker has taken yet.")
REDIS = (
    Fact("redis_memory", unit="bytes", about="Memory that Redis uses."),
    Fact("redis_clients", about="Connections to Redis."),
    Fact("redis_operations_per_second", unit="/s", about="Commands that Redis works at, by its own count."),
)
INFO = {"redis_memory": "used_memory", "redis_clients": "connected_clients", "redis_operations_per_second": "instantaneous_ops_per_sec"}


class Broker(Sampler):
    """Queues of the broker. With the broker in memory they are those of this process."""

    title = "Broker"

    def facts(self) -> Sequence[Fact]:
        """Redis' own numbers only where there is a Redis."""
        return (QUEUES, *REDIS) if settings.REDIS_URL else (QUEUES,)

    def measure(self) -> Mapping[str, float | None]:
        """Raises when the broker does not answer."""
        return {**_redis(), **_waiting()}


def _redis() -> dict[str, float | None]:
    if not settings.REDIS_URL:
        return {}
    with probes.redis_client() as client:
        info = client.info()
    return {name: float(info[field]) for name, field in INFO.items() if field in info}


def _waiting() -> dict[str, float | None]:
    workers = heartbeat.alive()
    if not settings.REDIS_URL and leases.me() not in {worker.process for worker in workers}:
        # Messages in memory are those of the worker's process; from another one, such as a command, they cannot be counted.
        return {}
    names = {duty.queue for duty in duties.all().values()} | {queue for worker in workers for queue in worker.queues}
    with current_app.connection_for_write() as connection, connection.channel() as found:
        channel: Any = found
        return {f"celery.{name}.waiting": float(channel.queue_declare(queue=name).message_count) for name in sorted(names)}


samplers.register("automation.broker", Broker(), module=__name__)
