"""What makes us faster: statistics of the database, a tidy cache, fresh connections, fresh processes. Each says what it did.
Called by the action `automation.optimize_performance`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any

import redis
from django.conf import settings
from django.db import connection

from automation.services.effects import cleanup, connections, pools
from config.kernel.flow.errors import StewardError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused
from config.kernel.watch.probes import redis_client

# A key that nobody asked for in a day is not worth its memory.
IDLE = timedelta(days=1)
# Rows of an index that SQLite looks at: enough for a plan, and never a pause that people notice.
ANALYSIS_LIMIT = 1000

_LAST = "SELECT min(last_analyze)::text, count(*) FROM pg_stat_user_tables WHERE schemaname = ANY(current_schemas(false))"


def tune(target: str) -> dict[str, Any]:
    """`name, status` (`done, failed, not_configured`) and what was done, or why not. `target`: a key of TARGETS."""
    try:
        outcome = TARGETS[target]()
    except StewardError as error:
        outcome = Failed(error.code, error.message)
    if isinstance(outcome, Done):
        return {"name": target, "status": "done", "output": dict(outcome.output)}
    if isinstance(outcome, NotConfigured):
        return {"name": target, "status": "not_configured", "message": outcome.what}
    message = outcome.message if isinstance(outcome, Failed) else outcome.reason if isinstance(outcome, Refused) else str(outcome)
    return {"name": target, "status": "failed", "message": message}


def outcome_of(results: Sequence[Mapping[str, Any]]) -> Outcome:
    """Done only when everything was; what is not configured counts as not done."""
    wrong = [one for one in results if one["status"] not in ("done", "completed")]
    if not wrong:
        return Done({"results": list(results)})
    sentences = " ".join(f"{one['name']}: {one.get('message') or one['status']}" for one in wrong)
    if all(one["status"] == "not_configured" for one in results):
        return NotConfigured(sentences)
    done = ", ".join(one["name"] for one in results if one not in wrong)
    return Failed("not_all_done", f"Done: {done or 'nothing'}. Not done: {sentences}", {"results": list(results)})


def _database() -> Outcome:
    begin = perf_counter()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
            cursor.execute(_LAST)
            last, tables = cursor.fetchone()
            told = {"did": "ANALYZE", "tables": tables, "oldest_last_analyze": last}
        else:
            cursor.execute(f"PRAGMA analysis_limit = {ANALYSIS_LIMIT}")
            cursor.execute("ANALYZE")
            cursor.execute("PRAGMA optimize")
            cursor.execute("SELECT count(DISTINCT tbl) FROM sqlite_stat1")
            told = {"did": "ANALYZE", "tables": cursor.fetchone()[0]}
    return Done({**told, "seconds": round(perf_counter() - begin, 3)})


def _cache() -> Outcome:
    if not settings.REDIS_URL:
        return NotConfigured("REDIS_URL is not set: without Redis the cache lives and ends with each process.")
    removed = cleanup.clean(["redis"], max_age=IDLE)["redis"]
    try:
        with redis_client() as client:
            before = client.info("memory")["used_memory_rss"]
            # Walking over the keys has freed those that ran out; this gives the pages back to the system.
            client.memory_purge()
            after = client.info("memory")["used_memory_rss"]
    except (redis.RedisError, OSError) as error:
        return Failed("redis", f"Redis did not answer ({type(error).__name__}).")
    told = removed.as_json() if isinstance(removed, cleanup.Removed) else {}
    return Done({"did": "removed keys idle for a day, gave memory back", **told, "memory_before": before, "memory_after": after})


def _connections() -> Outcome:
    asked = connections.ask()
    if why := connections.redis_failure(asked):
        return Failed("redis", why)
    return Done({"did": "asked every process to renew its connections", **asked})


def _workers() -> Outcome:
    outcome = pools.renew()
    return Done({"did": "replaced idle pool processes", **outcome.output}) if isinstance(outcome, Done) else outcome


TARGETS: Mapping[str, Callable[[], Outcome]] = {
    "database": _database,
    "cache": _cache,
    "connections": _connections,
    "workers": _workers,
}
