"""Messages to people: a row per channel first, sent afterwards by the duty `kernel.notify`.
Called by every room that needs a person; read by the dashboard."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from config.kernel.flow import clock, jobs, leases
from config.kernel.flow.errors import TemporaryError, capture
from config.kernel.limits import backoff
from config.kernel.models import Notification
from config.kernel.plugins.contracts import Carrier, NotConfigured, carriers
from config.kernel.watch import metrics, throttle
from config.kernel.wire import redact

Channel, Status, Urgency = Notification.Channel, Notification.Status, Notification.Urgency

# The first try and four more: after half a minute, a minute, two, four.
POLICY = backoff.Policy(strategy="exponential", base_seconds=30, max_attempts=5, jitter=0.2)
LEASE_SECONDS = 300
AT_ONCE = 5


def notify(
    title: str,
    *,
    message: str = "",
    urgency: str = Urgency.NORMAL,
    link: str = "",
    subject: str = "",
    channels: Sequence[str] | None = None,
    recipients: Sequence[str] = (),
    attachment: str = "",
) -> list[Notification]:
    """Tell people: one row per channel, of apprise one per target. The dashboard's is sent at once, the others after commit.

    `channels` defaults to the dashboard and every channel that is configured; of `recipients` each channel takes its own: a mail the
    addresses (else NOTIFY_EMAILS), Slack its `#channels`. What was just said comes back as the row that said it (see `throttle`).
    `attachment`: what goes with a mail, as `<key of an attacher>:<id>`.
    """
    values: dict[str, Any] = {
        "title": redact.text(title)[:200],
        "message": redact.text(message),
        "urgency": Urgency(urgency),
        "link": link,
        "subject": subject[:128],
        "attachment": attachment,
    }
    rows = [row for channel in (channels or configured_channels()) for row in _rows(Channel(channel), recipients, values)]
    with transaction.atomic():
        rows = [throttle.said_already(row) or _saved(row) for row in rows]
        if any(row.status == Status.PENDING for row in rows):
            jobs.nudge("kernel.notify")
    return rows


def try_out(channel: str, *, recipients: Sequence[str] = ()) -> list[Notification]:
    """A test message on one channel, tried here and now, once: its rows say what came of it. Not throttled: a person waits for it."""
    about = {"title": "Test message", "message": "This channel works.", "urgency": Urgency.LOW, "subject": "notifications:test"}
    rows = _rows(Channel(channel), recipients, about)
    for row in rows:
        row.save(force_insert=True)
        token, mine = leases.claim(Notification.objects.filter(pk=row.pk, status=Status.PENDING), limit=1, seconds=LEASE_SECONDS)
        for one in mine:
            _send(one, token)
            Notification.objects.filter(pk=row.pk, status=Status.PENDING).update(status=Status.FAILED, next_attempt_at=None)
        row.refresh_from_db()
    return rows


def configured_channels() -> list[str]:
    """The dashboard, and what an operator has set up beside it."""
    return [Channel.DASHBOARD, *(channel for channel in Channel.values if (one := _carriers().get(channel)) and one.is_configured())]


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
        done = 0
        while done < limit:
            # A few at a time, so that all of them are tried before their lease runs out.
            token, rows = leases.claim(due(now), limit=min(AT_ONCE, limit - done), seconds=LEASE_SECONDS)
            for row in rows:
                _send(row, token)
            done += len(rows)
            if len(rows) < AT_ONCE:
                break
        return done


def _carriers() -> dict[str, Carrier]:
    return {key.rpartition(".")[2]: carrier for key, carrier in carriers.all().items()}


def _rows(channel: str, recipients: Sequence[str], values: dict[str, Any]) -> list[Notification]:
    """One row, or one per target where a target can fail by itself. For the dashboard a row is all that is needed."""
    now = clock.now()
    if channel == Channel.DASHBOARD:
        return [Notification(channel=channel, created_at=now, status=Status.SENT, sent_at=now, next_attempt_at=None, **values)]
    found = _carriers()[channel].targets(recipients)
    return [Notification(channel=channel, created_at=now, next_attempt_at=now, recipients=one, **values) for one in found]


def _saved(row: Notification) -> Notification:
    if row.status == Status.PENDING:
        throttle.hold_back(row)
    row.save(force_insert=True)
    return row


def _send(row: Notification, token: str) -> None:
    """One try. Whoever lost the lease meanwhile leaves the row alone."""
    with capture("notification.failed", notification=row.uid, channel=row.channel) as caught:
        try:
            _carriers()[row.channel].send(row)
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
