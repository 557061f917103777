"""The Celery application. Loaded by the Roof, so that every entry point has it."""

from typing import Any

from celery import Celery, signals
from django.db import close_old_connections

app = Celery("steward")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery closes the database connection around each task; persistent ones are worth ten times the throughput.
app.conf.update({"CELERY_DB_REUSE_MAX": 10**12})
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """A listener here stops Celery from installing its own handlers."""


@signals.task_prerun.connect
def drop_broken_connections(**_: Any) -> None:
    """A connection that failed is replaced before the next task."""
    close_old_connections()
