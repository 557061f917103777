"""New connections instead of the present ones, in every process: to PostgreSQL, to Redis, and to whomever HTTP requests go.
Called by the action `automation.reset_connections`.

A connection is closed by whoever uses it, between two pieces of work. Cutting them from outside would break what is under way: a
connection that is idle for the server may belong to a task that waits for something else. Only Redis is told to close ours, where the
clients connect again by themselves.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from automation.services.effects import pools
from config.kernel.desk import connections, options
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Waiting
from config.kernel.watch.probes import redis_client

LOOK_AGAIN = timedelta(seconds=2)
# Threads that beat do so every eight seconds. Who is busy, or has nothing to do, renews before its next piece of work: not waited for.
PATIENCE = timedelta(seconds=12)

_OURS = """
    SELECT pid, backend_start::text FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
      AND application_name = current_setting('application_name') AND backend_type = 'client backend'
"""


def reset(state: Mapping[str, Any]) -> Outcome:
    """Ask for it, then watch until no old connection is left, for twelve seconds at most; the output says which ones still are."""
    if not state:
        state = _begin()
    left = _left(state["database"])
    if left and clock.now() < datetime.fromisoformat(state["until"]):
        return Waiting(clock.now() + LOOK_AGAIN, state)
    output: dict[str, Any] = {
        "asked_at": state["asked_at"],
        "redis": state["redis"],
        "pools": state["pools"],
        "http": "Each process closes its connections before its next task or request.",
    }
    if connection.vendor == "postgresql":
        output["database"] = {
            "before": len(state["database"]),
            "renewed": len(state["database"]) - len(left),
            "later": [pid for pid, _ in left],
        }
    else:
        output["database"] = "Each thread opens its file anew before its next task or request."
    return Failed("redis", redis_failure(state), output) if redis_failure(state) else Done(output)


def redis_failure(asked: Mapping[str, Any]) -> str:
    """Why Redis did not close our connections; empty when it did, or when there is none."""
    found = asked["redis"]
    return str(found.get("error", "")) if isinstance(found, dict) else ""


def ask() -> dict[str, Any]:
    """Ask, without watching; when, and what Redis and the pools made of it."""
    now = clock.now()
    options.set(connections.OPTION, clock.text(now))
    return {"asked_at": clock.text(now), "pools": _renew_pools(), "redis": _close_redis()}


def _begin() -> dict[str, Any]:
    """What is there now, for comparing; then the wish, which every process hears within a second of its next piece of work."""
    before = _ours()
    return {"until": (clock.now() + PATIENCE).isoformat(), "database": before, **ask()}


def _renew_pools() -> str:
    """Processes of our workers that idle are replaced by fresh ones: nobody knows when their next task would come."""
    outcome = pools.renew()
    if isinstance(outcome, Done):
        return "Idle processes were replaced."
    return outcome.what if isinstance(outcome, NotConfigured) else str(getattr(outcome, "message", outcome))


def _close_redis() -> Any:
    """Have Redis close what carries our name and is older than this moment. Our clients and Celery connect again by themselves."""
    if not settings.REDIS_URL:
        return "not configured"
    try:
        with redis_client() as client:
            me = client.client_id()
            mine = [one for one in client.client_list() if _is_ours(one) and int(one["id"]) < me]
            closed = sum(_close(client, one["id"]) for one in mine)
    except (redis.RedisError, OSError) as error:
        return {"error": f"Redis did not close our connections ({type(error).__name__}). Is it running?"}
    return {"before": len(mine), "closed": closed}


def _is_ours(one: Mapping[str, str]) -> bool:
    # A subscriber that is cut connects again inside of the client library and then waits there for ever. A worker's goes with its consumer.
    is_subscriber = "P" in one["flags"]
    return not is_subscriber and one["name"] == settings.CLIENT_NAME and one["db"] == str(_database_number())


def _database_number() -> int:
    return int(urlsplit(settings.REDIS_URL).path.strip("/") or 0)


def _close(client: "redis.Redis", number: str) -> int:
    return int(client.client_kill_filter(_id=number))


def _ours() -> list[tuple[int, str]]:
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        return _rows(cursor)


def _rows(cursor: CursorWrapper) -> list[tuple[int, str]]:
    cursor.execute(_OURS)
    return [(int(pid), str(began)) for pid, began in cursor.fetchall()]


def _left(before: Sequence[Sequence[Any]]) -> list[tuple[int, str]]:
    """Those of `before` that are there still; a process number may come again, with another beginning."""
    known = {(int(pid), str(began)) for pid, began in before}
    return [one for one in _ours() if one in known]
