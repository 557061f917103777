"""A message to people is a row per channel, sent afterwards, with its result written down."""

from datetime import timedelta
from types import SimpleNamespace

import orjson
import pytest
from django.core import mail

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.models import Notification
from config.kernel.watch import notifications
from config.kernel.wire import http

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    values = {"NOTIFY_EMAILS": [], "NOTIFY_WEBHOOK_URL": "", "NOTIFY_THROTTLE_SECONDS": 300, "NOTIFY_MAX_PER_HOUR": 60}
    monkeypatch.setattr(options, "get", values.__getitem__)
    return values


@pytest.fixture
def replies(monkeypatch):
    """What the webhook answers, and what it was sent."""
    seen = SimpleNamespace(reply=SimpleNamespace(status=200, error_code="", error=""), requests=[])

    def send(request):
        seen.requests.append(request)
        return seen.reply

    monkeypatch.setattr(http, "send", send)
    return seen


def work(**later):
    return notifications.Notify().work(clock.now() + timedelta(**later), 100)


def test_dashboard_message_is_sent_at_once():
    [row] = notifications.notify("Disk is full", message="Make room.", urgency="high")
    assert (row.channel, row.status, row.urgency) == ("dashboard", "sent", "high")


def test_every_configured_channel_gets_a_row(configured):
    configured |= {"NOTIFY_EMAILS": ["ops@example.com"], "NOTIFY_WEBHOOK_URL": "https://example.com/hook"}
    rows = notifications.notify("Disk is full")
    assert {row.channel for row in rows} == {"dashboard", "email", "webhook"}


def test_mail_goes_out_with_title_message_and_full_link(configured, settings):
    configured["NOTIFY_EMAILS"] = ["ops@example.com"]
    settings.PUBLIC_URL = "https://steward.example.com"
    notifications.notify("Disk is\nfull", message="Make room.", link="/events/evt_1", channels=["email"])
    assert work() == 1
    [sent] = mail.outbox
    assert (sent.subject, sent.to) == ("Disk is full", ["ops@example.com"])
    assert sent.body == "Make room.\n\nhttps://steward.example.com/events/evt_1"
    assert Notification.objects.get().status == "sent"


def test_mail_without_a_server_ends_as_not_configured(configured, settings):
    configured["NOTIFY_EMAILS"] = ["ops@example.com"]
    settings.EMAIL_CONFIGURED = False
    notifications.notify("Disk is full", channels=["email"])
    work()
    row = Notification.objects.get()
    assert (row.status, row.next_attempt_at) == ("not_configured", None)
    assert "EMAIL_URL" in row.error


def test_webhook_gets_the_message_as_json(configured, replies):
    configured["NOTIFY_WEBHOOK_URL"] = "https://example.com/hook"
    [row] = notifications.notify("Disk is full", subject="service:web", channels=["webhook"])
    work()
    [request] = replies.requests
    body = orjson.loads(request.body)
    assert (request.url, body["id"], body["title"], body["subject"]) == ("https://example.com/hook", row.uid, "Disk is full", "service:web")
    assert not request.is_operator_target


def test_failed_webhook_is_tried_five_times_then_given_up(configured, replies):
    configured["NOTIFY_WEBHOOK_URL"] = "https://example.com/hook"
    replies.reply.status = 500
    notifications.notify("Disk is full", channels=["webhook"])
    assert [work(hours=number) for number in range(6)] == [1, 1, 1, 1, 1, 0]
    row = Notification.objects.get()
    assert (row.status, row.attempts, len(replies.requests)) == ("failed", 5, 5)
    assert "500" in row.error


def test_failed_webhook_waits_before_its_next_turn(configured, replies):
    configured["NOTIFY_WEBHOOK_URL"] = "https://example.com/hook"
    replies.reply = SimpleNamespace(status=None, error_code="connect", error="refused")
    notifications.notify("Disk is full", channels=["webhook"])
    work()
    row = Notification.objects.get()
    assert row.status == "pending"
    assert row.next_attempt_at >= row.created_at + timedelta(seconds=30)
    assert work() == 0


def test_error_that_nobody_expected_is_a_failed_try(configured, monkeypatch):
    configured["NOTIFY_WEBHOOK_URL"] = "https://example.com/hook"
    monkeypatch.setattr(http, "send", lambda request: 1 / 0)
    notifications.notify("Disk is full", channels=["webhook"])
    work()
    row = Notification.objects.get()
    assert (row.status, row.attempts) == ("pending", 1)


def test_secret_in_a_message_is_masked():
    [row] = notifications.notify("Refused", message="token=hunter2hunter2")
    assert "hunter2" not in row.message


def test_read_messages_are_not_unread():
    notifications.notify("Disk is full")
    assert notifications.mark_read(notifications.unread()) == 1
    assert not notifications.unread().exists()
