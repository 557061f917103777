"""Forgets what rules remembered of subjects that have not been heard of for long. Called by the duty `automation.tidy`."""

from datetime import datetime, timedelta

from automation.models import RuleState
from config.kernel.desk import options
from config.kernel.flow import tidy


def remove_old(now: datetime) -> int:
    """Delete memories of subjects whose last verdict is past EXECUTION_RETENTION_DAYS and that wait for nothing; how many."""
    since = now - timedelta(days=options.get("EXECUTION_RETENTION_DAYS"))
    idle = RuleState.objects.exclude(subject="").filter(due_at=None, quiet_at=None, is_active=False, verdict__last_at__lt=since)
    return tidy.remove(idle)
