"""The one place that product code takes the time from, so that tests may stop it."""

from datetime import UTC, datetime

from django.utils import timezone


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return timezone.now()


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC (a naive one is in it already), since PostgreSQL takes no offset beyond 16 hours. Raises ValueError."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("The time lies outside the calendar.") from None


def text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`: `2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
