"""Removes items that have been kept long enough. Run by the duty `automation.items_retention`."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from automation.models import Queue, WorkItem
from config.kernel.desk import options
from config.kernel.flow import tidy

ENDED = (WorkItem.Status.DONE, WorkItem.Status.CANCELLED, WorkItem.Status.ARCHIVED)


def remove(now: datetime) -> int:
    """Remove what is past its days, and deleted queues that hold nothing more; how many items."""
    count = tidy.remove(_old(now, "ITEM_RETENTION_DAYS", *ENDED))
    count += tidy.remove(_old(now, "FAILED_ITEM_RETENTION_DAYS", WorkItem.Status.FAILED))
    # The slug of a deleted queue is free again at once; the row goes with the last of its items.
    tidy.remove(Queue.objects.filter(deleted_at__isnull=False, items__isnull=True))
    return count


def _old(now: datetime, option: str, *statuses: str) -> "QuerySet[WorkItem]":
    return WorkItem.objects.filter(status__in=statuses, ended_at__lt=now - timedelta(days=options.get(option)))
