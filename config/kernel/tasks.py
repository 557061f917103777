"""The Celery tasks of the house, three in all: work at a duty, sweep, and nothing else that carries data."""

import logging
from typing import Any

from celery import shared_task, signals

from config.kernel import duties
from config.kernel.flow import context, events, jobs, leases, routing, tidy
from config.kernel.flow.errors import capture
from config.kernel.series import rollups, sampling
from config.kernel.wire import redact

log = logging.getLogger("kernel.tasks")

__all__ = ["duties", "rollups", "routing", "sampling", "sweep", "tidy", "work"]


@shared_task(name="kernel.work", ignore_result=True)
def work(key: str) -> None:
    """Do what the duty `key` has to do now."""
    with context.using(correlation_id=context.valid_correlation_id("")):
        jobs.take(key)


@shared_task(name="kernel.sweep", ignore_result=True)
def sweep() -> None:
    """Find work whose nudge was lost."""
    jobs.sweep()


def _send(key: str, queue: str) -> None:
    # Straight to the queue: after a FLUSHALL the bindings of an exchange are gone, a queue's name is not.
    work.apply_async(args=(key,), queue=queue, expires=60, retry=False)


jobs.use_sender(_send)


@signals.task_failure.connect
def announce_failure(sender: Any = None, exception: BaseException | None = None, args: Any = (), **_: Any) -> None:
    """A task that raised is an event `error.occurred`; at most one a minute for the same task and error, so it cannot feed itself."""
    name, kind = f"{getattr(sender, 'name', '?')}{list(args or [])}", type(exception).__name__
    with capture("error.announce_failed", task=name):
        if leases.acquire(f"error:{name}:{kind}"[:160], seconds=60) is None:
            return
        events.publish(
            "error.occurred",
            data={"error_type": kind, "message": redact.text(str(exception))[:1000], "context": {"task": name}},
            subject=f"task:{name}",
        )
