"""Writes down who did what to what. Called by every service that changes something a person should be able to trace."""

from typing import Any

from django.db.models import Model

from config.kernel.flow import context
from config.kernel.models import AuditRecord


def subject_of(row: Model | str) -> str:
    """`kind:id` of a row, with the id that is shown to people."""
    if isinstance(row, str):
        return row
    return f"{row._meta.model_name}:{getattr(row, 'uid', '') or row.pk}"


def record(action: str, subject: Model | str = "", *, kind: str = AuditRecord.Kind.CONFIGURATION_CHANGE, **detail: Any) -> AuditRecord:
    """Add one record under the current actor, address and correlation id. `detail` must hold no secret."""
    now = context.current()
    return AuditRecord.objects.create(
        kind=kind, action=action, actor=now.actor, ip=now.ip, subject=subject_of(subject), detail=detail, correlation_id=now.correlation_id
    )
