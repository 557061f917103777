"""Fresh processes in the pools of our own workers while work goes on. Called by `connections` and `tuning`."""

from collections.abc import Mapping
from typing import Any

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.kernel.flow.errors import TemporaryError

ANSWER_SECONDS = 3.0


def renew() -> dict[str, dict[str, Any]]:
    """Worker → how many processes its pool had, and how many were replaced: those that were idle when their turn came.

    Empty without workers of their own. A busy process is never touched. Raises TemporaryError while Redis is away.
    """
    if not settings.REDIS_URL:
        return {}
    try:
        before = _processes()
        for worker, pids in before.items():
            _replace(worker, len(pids))
        after = _processes()
    except (OperationalError, RedisError, OSError) as error:
        raise TemporaryError(f"The workers cannot be told: Redis is away ({type(error).__name__}).") from None
    return {worker: {"processes": len(pids), "replaced": len(pids - after.get(worker, set()))} for worker, pids in before.items()}


def _processes() -> dict[str, set[int]]:
    """Worker → pids of its pool, of those that have one of processes."""
    found: Mapping[str, Any] = current_app.control.inspect(timeout=ANSWER_SECONDS).stats() or {}
    pools = {name: stats["pool"] for name, stats in found.items()}
    return {name: set(pool["processes"]) for name, pool in pools.items() if "prefork" in pool.get("implementation", "")}


def _replace(worker: str, count: int) -> None:
    """As many again, then as many less: Celery ends the oldest that are idle. Not one by one: a process that is ending would count again."""
    if _told(current_app.control.pool_grow(count, destination=[worker], reply=True, timeout=ANSWER_SECONDS)):
        current_app.control.pool_shrink(count, destination=[worker], reply=True, timeout=ANSWER_SECONDS)


def _told(answers: Any) -> bool:
    return any("ok" in answer for one in answers or () for answer in one.values())
