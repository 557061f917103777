"""Removes what has outlived its retention in the kernel's tables, in chunks. The duty `kernel.tidy`, once an hour."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from config.kernel.desk import options
from config.kernel.models import AuditRecord, IdempotencyKey, Lease, Notification
from config.kernel.plugins.contracts import duties

CHUNK = 1000
AUDIT_DAYS = 2555


class Tidy:
    """The duty; it has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `kernel.tidy`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """Delete what is past its days; fewer than `limit` is answered once all is done."""
        remove(Notification.objects.filter(created_at__lt=now - timedelta(days=options.get("NOTIFICATION_RETENTION_DAYS"))))
        remove(AuditRecord.objects.filter(created_at__lt=now - timedelta(days=AUDIT_DAYS)))
        remove(IdempotencyKey.objects.filter(created_at__lt=now - timedelta(days=1)))
        remove(Lease.objects.filter(until__lt=now - timedelta(days=1)))
        return 0


def remove(rows: "QuerySet[Any]") -> int:
    """Delete the rows a thousand at a time, so that no lock is held for long; how many there were."""
    removed = 0
    while keys := list(rows.values_list("pk", flat=True)[:CHUNK]):
        rows.model._default_manager.filter(pk__in=keys)._raw_delete("default")
        removed += len(keys)
    return removed


duties.register("kernel.tidy", Tidy())
