"""Kernel rows, one file per kind."""

from config.kernel.models.event import Event, EventType, RouteFailure
from config.kernel.models.idempotency import IdempotencyKey
from config.kernel.models.limits import Breaker, Bucket, Lease
from config.kernel.models.series import Presence, Rollup, Snapshot
from config.kernel.models.watch import ApiToken, AuditRecord, Component, Notification, Option, Permission, Tally

__all__ = [
    "ApiToken",
    "AuditRecord",
    "Breaker",
    "Bucket",
    "Component",
    "Event",
    "EventType",
    "IdempotencyKey",
    "Lease",
    "Notification",
    "Option",
    "Permission",
    "Presence",
    "Rollup",
    "RouteFailure",
    "Snapshot",
    "Tally",
]
