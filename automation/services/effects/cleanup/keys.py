"""Keys of our own cache in Redis that nobody asked for in a while. Called by `cleanup.clean`.

Only keys under the cache's prefix are looked at: messages of the broker and marks of the kernel have other names.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache

from automation.services.effects.cleanup.removed import Absent, Removed
from config.kernel.flow.errors import TemporaryError
from config.kernel.watch.probes import redis_client

BATCH = 500


def clean(*, idle: timedelta) -> Removed:
    """Remove the keys that were not read or written for longer than `idle`.

    Raises Absent without Redis, TemporaryError while it is away.
    """
    if not settings.REDIS_URL:
        raise Absent("REDIS_URL is not set: without Redis the cache lives and ends with each process.")
    removed = Removed()
    try:
        with redis_client() as client:
            for names in _batches(client):
                _remove_idle(client, names, idle.total_seconds(), removed)
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise TemporaryError(f"Redis did not answer while the cache was cleaned ({type(error).__name__}). Is it running?") from None
    return removed


def pattern() -> str:
    """What the names of our cache's keys look like, as SCAN wants it."""
    return cache.make_key("*").replace("[", r"\[").replace("?", r"\?")


def _batches(client: "redis.Redis") -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for name in client.scan_iter(match=pattern(), count=BATCH):
        batch.append(name)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _remove_idle(client: "redis.Redis", names: list[bytes], seconds: float, removed: Removed) -> None:
    old = [name for name, idle in zip(names, _ask(client, "object_idletime", names), strict=True) if _is_old(idle, seconds, name, removed)]
    sizes = _ask(client, "memory_usage", old)
    gone = _ask(client, "unlink", old)
    for size, count in zip(sizes, gone, strict=True):
        if isinstance(count, int) and count:
            removed.took(size if isinstance(size, int) else 0)


def _is_old(idle: Any, seconds: float, name: bytes, removed: Removed) -> bool:
    if isinstance(idle, redis.ResponseError):
        # With an eviction policy of the LFU kind Redis counts uses and keeps no times.
        removed.left(name.decode(errors="replace"), f"Redis does not tell its age: {idle}")
        return False
    return isinstance(idle, int) and idle > seconds


def _ask(client: "redis.Redis", command: str, names: list[bytes]) -> list[Any]:
    """The same question for each name, in one round trip; an error in place of an answer."""
    if not names:
        return []
    pipe = client.pipeline(transaction=False)
    for name in names:
        if command == "object_idletime":
            pipe.object("idletime", name)
        else:
            getattr(pipe, command)(name)
    return list(pipe.execute(raise_on_error=False))
