"""Keeps messages from flooding people: what was just said is counted, and past an hour's fill of a channel the rest is held back.
Called by `watch.notifications` inside of its transaction."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.models import Notification

Channel, Status = Notification.Channel, Notification.Status

HELD = "notifications:held"
HELD_TITLE = "Some messages were held back"
# The summary waits so long for what is held back after the first.
SUMMARY_SECONDS = 600


def said_already(row: Notification) -> Notification | None:
    """The row that said the same on the same channel a moment ago, with its count one higher; None when there is none."""
    since = clock.now() - timedelta(seconds=options.get("NOTIFY_THROTTLE_SECONDS"))
    same: dict[str, Any] = {name: getattr(row, name) for name in ("channel", "title", "subject", "urgency", "recipients", "attachment")}
    found = Notification.objects.filter(created_at__gt=since, status__in=(Status.PENDING, Status.SENT, Status.SUPPRESSED), **same)
    earlier = found.order_by("-id").first()
    if earlier is None:
        return None
    # On the dashboard it is news again.
    Notification.objects.filter(pk=earlier.pk).update(count=F("count") + 1, read_at=None)
    earlier.refresh_from_db()
    return earlier


def hold_back(row: Notification) -> None:
    """Mark the row as suppressed when its channel had its fill within the hour; one summary will tell how many were."""
    most = options.get("NOTIFY_MAX_PER_HOUR")
    recent = Notification.objects.filter(channel=row.channel, created_at__gt=clock.now() - timedelta(hours=1)).exclude(subject=HELD)
    if row.channel == Channel.DASHBOARD or recent.exclude(status__in=(Status.SUPPRESSED, Status.NOT_CONFIGURED)).count() < most:
        return
    row.status, row.next_attempt_at = Status.SUPPRESSED, None
    row.error = f"Held back: this channel had {most} messages within an hour (NOTIFY_MAX_PER_HOUR). A summary goes out."
    waiting = Notification.objects.filter(channel=row.channel, subject=HELD, status=Status.PENDING, recipients=row.recipients)
    if not waiting.update(count=F("count") + 1):
        due = clock.now() + timedelta(seconds=SUMMARY_SECONDS)
        shared = {"channel": row.channel, "recipients": row.recipients, "urgency": row.urgency, "next_attempt_at": due}
        link = f"/notifications?channel={row.channel}"
        Notification.objects.create(subject=HELD, title=HELD_TITLE, message="", link=link, **shared)


def message(row: Notification) -> str:
    """The message as it is sent: a summary tells how many it stands for."""
    return f"{row.count} more since {row.created_at:%H:%M} UTC; the list has all of them." if row.subject == HELD else row.message


def text(row: Notification) -> str:
    """Message and link, for channels that carry plain text; the title where there is neither."""
    link = f"{settings.PUBLIC_URL}{row.link}" if row.link.startswith("/") else row.link
    return "\n\n".join(part for part in (message(row), link) if part) or row.title
