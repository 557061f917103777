"""The naive way, for comparison: a Celery task per delivery, as most applications would write it.

`python -m benchmarks.naive PREFIX` queues a task for each delivery of the events whose id begins so;
`celery -A benchmarks.naive worker -Q naive` does them: read the row, sign, one request on a connection of its own, write the rows.
"""

import http.client
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")

import django
from celery import Celery

django.setup()

from django.conf import settings  # noqa: E402

from config.kernel.flow import clock  # noqa: E402
from webhooks.engine import envelope  # noqa: E402
from webhooks.models import Attempt, Delivery  # noqa: E402
from webhooks.services import endpoints  # noqa: E402

app = Celery("naive", broker=settings.REDIS_URL, set_as_current=False)
# Kept connections to the database: more than most would give it.
app.conf.update({"CELERY_DB_REUSE_MAX": 10**12})
app.conf.update(task_ignore_result=True, task_default_queue="naive", worker_hijack_root_logger=False)


@app.task(name="naive.deliver")
def deliver(pk: int) -> None:
    """One delivery."""
    delivery = Delivery.objects.select_related("event", "endpoint").get(pk=pk)
    event, endpoint = delivery.event, delivery.endpoint
    now, number = clock.now(), delivery.attempt_count + 1
    message = envelope.Message(event.type, event.uid, bytes(event.body), number, int(now.timestamp()), event.correlation_id)
    signed = envelope.sign(message, url=endpoint.url, credentials=endpoints.credentials(endpoint, now=now))
    begun = time.perf_counter()
    status, reply = _post(signed)
    took = round((time.perf_counter() - begun) * 1000, 3)
    Attempt.objects.create(
        delivery=delivery,
        number=number,
        started_at=now,
        duration_ms=took,
        status_code=status,
        response_body=reply[:2048].decode("utf-8", "replace"),
    )
    delivery.status, delivery.attempt_count, delivery.last_status_code = "delivered", number, status
    delivery.finished_at, delivery.next_attempt_at = clock.now(), None
    delivery.save(update_fields=["status", "attempt_count", "last_status_code", "finished_at", "next_attempt_at"])


def _post(signed: envelope.Signed) -> tuple[int, bytes]:
    target = urlsplit(signed.url)
    connection = http.client.HTTPConnection(target.netloc, timeout=30)
    try:
        connection.request("POST", target.path, signed.body, dict(signed.headers))
        reply = connection.getresponse()
        return reply.status, reply.read(65536)
    finally:
        connection.close()


def enqueue(prefix: str) -> int:
    """A task for each delivery that waits; how many."""
    keys: Any = Delivery.objects.filter(event__uid__startswith=prefix, status="pending").order_by("id").values_list("pk", flat=True)
    with app.connection_for_write() as connection, app.amqp.producer_pool.acquire(block=True) as producer:
        for pk in keys:
            deliver.apply_async(args=(pk,), queue="naive", producer=producer)
        connection.release()
    return len(keys)


if __name__ == "__main__":
    enqueue(sys.argv[1])
