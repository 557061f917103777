"""Messages to people: a row per channel first, sent afterwards by the duty `kernel.notify`.
Called by every room that needs a person; read by the dashboard."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

import orjson
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet

from config.kernel.desk import options
from config.kernel.flow import clock, jobs, leases
from config.kernel.flow.errors import TemporaryError, capture
from config.kernel.limits import backoff
from config.kernel.models import Notification
from config.kernel.watch import metrics
from config.kernel.wire import http, redact

Channel, Status, Urgency = Notification.Channel, Notification.Status, Notification.Urgency

# The first try and four more: after half a minute, a minute, two, four.
POLICY = backoff.Policy(strategy="exponential", base_seconds=30, max_attempts=5, jitter=0.2)
LEASE_SECONDS = 300
SEND_SECONDS = 10


class NotConfigured(Exception):
    """The channel lacks what it needs; the message names it."""


def notify(
    title: str,
    *,
    message: str = "",
    urgency: str = Urgency.NORMAL,
    link: str = "",
    subject: str = "",
    channels: Sequence[str] | None = None,
    recipients: Sequence[str] = (),
) -> list[Notification]:
    """Tell people: one row per channel. The dashboard's is sent at once, the others after commit.

    `channels` defaults to the dashboard and every channel that is configured; `recipients` of a mail to NOTIFY_EMAILS.
    """
    now = clock.now()
    values: dict[str, Any] = {
        "title": redact.text(title)[:200],
        "message": redact.text(message),
        "urgency": urgency,
        "link": link,
        "subject": subject[:128],
    }
    rows = [_row(Channel(channel), now, recipients, values) for channel in (channels or configured_channels())]
    with transaction.atomic():
        for row in rows:
            row.save(force_insert=True)
        if any(row.status == Status.PENDING for row in rows):
            jobs.nudge("kernel.notify")
    return rows


def configured_channels() -> list[str]:
    """The dashboard, and what an operator has set up beside it."""
    found: list[str] = [Channel.DASHBOARD]
    if options.get("NOTIFY_EMAILS"):
        found.append(Channel.EMAIL)
    if options.get("NOTIFY_WEBHOOK_URL"):
        found.append(Channel.WEBHOOK)
    return found


def unread() -> "QuerySet[Notification]":
    """What the dashboard still has to show, newest first."""
    return Notification.objects.filter(channel=Channel.DASHBOARD, read_at__isnull=True)


def mark_read(rows: "QuerySet[Notification]") -> int:
    """Somebody has seen them; how many were new to them."""
    return rows.filter(read_at__isnull=True).update(read_at=clock.now())


def due(now: datetime) -> "QuerySet[Notification]":
    """Rows whose turn has come."""
    return Notification.objects.filter(status=Status.PENDING, next_attempt_at__lte=now)


class Notify:
    """The duty: sends what is due, each row by itself."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many are due, up to a hundred."""
        return due(now)[:100].count()

    def work(self, now: datetime, limit: int) -> int:
        """Send up to `limit`; how many were tried."""
        token, rows = leases.claim(due(now), limit=limit, seconds=LEASE_SECONDS)
        for row in rows:
            _send(row, token)
        return len(rows)


def _row(channel: str, now: datetime, recipients: Sequence[str], values: dict[str, Any]) -> Notification:
    row = Notification(channel=channel, created_at=now, next_attempt_at=now, **values)
    if channel == Channel.DASHBOARD:
        row.status, row.sent_at, row.next_attempt_at = Status.SENT, now, None
    elif channel == Channel.EMAIL:
        row.recipients = list(recipients or options.get("NOTIFY_EMAILS"))
    return row


def _send(row: Notification, token: str) -> None:
    """One try. Whoever lost the lease meanwhile leaves the row alone."""
    with capture("notification.failed", notification=row.uid, channel=row.channel) as caught:
        try:
            _SENDERS[row.channel](row)
        except NotConfigured as missing:
            _end(row, token, status=Status.NOT_CONFIGURED, error=str(missing))
            return
        except (TemporaryError, SMTPException, OSError) as failed:
            _failed(row, token, error=str(failed))
            return
        _end(row, token, status=Status.SENT, error="", sent_at=clock.now())
    if caught.error:
        _failed(row, token, error=f"{type(caught.error).__name__}: {caught.error}")


def _failed(row: Notification, token: str, *, error: str) -> None:
    attempts = row.attempts + 1
    wait = backoff.delay_seconds(POLICY, attempts, random.random())  # noqa: S311 - spreads tries, hides nothing
    if wait is None:
        _end(row, token, status=Status.FAILED, error=error)
        return
    _write(row, token, attempts=attempts, next_attempt_at=clock.now() + timedelta(seconds=wait), error=error)


def _end(row: Notification, token: str, *, status: str, error: str, sent_at: datetime | None = None) -> None:
    _write(row, token, attempts=row.attempts + 1, status=status, error=error, sent_at=sent_at, next_attempt_at=None)
    metrics.count("notifications_total", channel=row.channel, outcome=str(status))


def _write(row: Notification, token: str, *, error: str, **changes: Any) -> None:
    mine = Notification.objects.filter(pk=row.pk, lease_token=token, status=Status.PENDING)
    mine.update(error=redact.text(error)[:1000], lease_token="", lease_until=None, **changes)


def _send_mail(row: Notification) -> None:
    if not settings.EMAIL_CONFIGURED:
        raise NotConfigured("EMAIL_URL is not set, so no mail can be sent.")
    if not row.recipients:
        raise NotConfigured("NOTIFY_EMAILS is empty, so there is nobody to send a mail to.")
    parts = [row.message, f"{settings.PUBLIC_URL}{row.link}" if row.link.startswith("/") else row.link]
    text = "\n\n".join(part for part in parts if part) or row.title
    # A header holds no line breaks; Django refuses them as an attempt to add headers.
    send_mail(" ".join(row.title.split()), text, settings.DEFAULT_FROM_EMAIL, row.recipients)


def _send_webhook(row: Notification) -> None:
    url = options.get("NOTIFY_WEBHOOK_URL")
    if not url:
        raise NotConfigured("NOTIFY_WEBHOOK_URL is not set.")
    body = {name: getattr(row, name) for name in ("title", "message", "urgency", "link", "subject")}
    body |= {"id": row.uid, "created_at": clock.text(row.created_at)}
    headers = {"Content-Type": "application/json", "User-Agent": "Steward"}
    reply = http.send(http.Request("POST", url, headers, orjson.dumps(body), SEND_SECONDS))
    if reply.error_code:
        raise TemporaryError(f"The webhook could not be called: {reply.error}")
    if reply.status is None or not 200 <= reply.status < 300:
        raise TemporaryError(f"The webhook answered with status {reply.status}.")


def _dashboard(row: Notification) -> None:
    """A row is all that the dashboard needs."""


_SENDERS: dict[str, Callable[[Notification], None]] = {
    Channel.EMAIL: _send_mail,
    Channel.WEBHOOK: _send_webhook,
    Channel.DASHBOARD: _dashboard,
}
