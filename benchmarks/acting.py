"""Calls of actions in large numbers: `python -m benchmarks.acting DEED …`, started by `actions`.

backlog ACTION CALLER COUNT        calls that are not due yet
go CALLER                          now they are
pace ACTION CALLER RATE SECONDS    single calls by schedule
naive COUNT                        a row and a Celery task each, for `celery -A benchmarks.acting worker -Q naive`
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")

import django
import orjson
from celery import Celery

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from config.acts.models import Invocation  # noqa: E402
from config.acts.running import invocations  # noqa: E402
from config.acts.running.invocations import Wanted  # noqa: E402
from config.kernel.flow import clock, jobs  # noqa: E402

BATCH = 500
app = Celery("naive", broker=settings.REDIS_URL, set_as_current=False)
app.conf.update({"CELERY_DB_REUSE_MAX": 10**12})
app.conf.update(task_ignore_result=True, task_default_queue="naive", worker_hijack_root_logger=False)


@app.task(name="naive.act")
def act(pk: int) -> None:
    """Nothing, and the row that says so."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE bench_naive SET status = 'completed', output = '{}', ended_at = %s WHERE id = %s", [clock.now(), pk])


def backlog(action: str, caller: str, count: str) -> dict[str, Any]:
    """In batches."""
    due, left = clock.now() + timedelta(days=1), int(count)
    while left > 0:
        wanted = Wanted(action, {}, owner="system", caller=caller, due_at=due)
        invocations.call_many([wanted] * min(BATCH, left))
        left -= BATCH
    return {"called": Invocation.objects.filter(caller=caller).count()}


def go(caller: str) -> dict[str, Any]:
    """As if each had been called at this moment."""
    now = clock.now()
    count = Invocation.objects.filter(caller=caller).update(due_at=now, created_at=now)
    jobs.nudge(invocations.DUTY)
    return {"due": count}


def pace(action: str, caller: str, rate: str, seconds: str) -> dict[str, Any]:
    """Those that are late are made at once, so that the number is that of the schedule."""
    begin, count = time.monotonic(), round(float(rate) * float(seconds))
    for number in range(count):
        time.sleep(max(0.0, begin + number / float(rate) - time.monotonic()))
        invocations.call(action, {}, owner="system", caller=caller)
    return {"called": count, "seconds": time.monotonic() - begin}


def naive(count: str) -> dict[str, Any]:
    """All rows, then all tasks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE bench_naive (id bigserial PRIMARY KEY, status text, output jsonb, created_at timestamptz, ended_at timestamptz)"
        )
        cursor.execute(
            "INSERT INTO bench_naive (status, created_at) SELECT 'pending', now() FROM generate_series(1, %s) RETURNING id", [int(count)]
        )
        keys = [pk for (pk,) in cursor.fetchall()]
    with app.connection_for_write(), app.amqp.producer_pool.acquire(block=True) as producer:
        for pk in keys:
            act.apply_async(args=(pk,), queue="naive", producer=producer)
    return {"queued": len(keys)}


DEEDS: dict[str, Callable[..., dict[str, Any]]] = {"backlog": backlog, "go": go, "pace": pace, "naive": naive}

if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(DEEDS[sys.argv[1]](*sys.argv[2:])))
