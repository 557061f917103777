"""Channels beside mail and webhook, the throttle, the command, and the one table of how bad things are."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from config.acts.carriers import apprise
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.language import levels
from config.kernel.models import Notification
from config.kernel.watch import notifications
from tests.support import receivers

pytestmark = pytest.mark.django_db


@pytest.fixture
def sink():
    """A receiver on loopback."""
    with receivers.ok() as running:
        yield running


def got(sink):
    """The JSON of every request."""
    return [json.loads(request.body) for request in sink.requests]


def work(**later):
    return notifications.Notify().work(clock.now() + timedelta(**later), 100)


def statuses(channel):
    return sorted(Notification.objects.filter(channel=channel).values_list("status", flat=True))


# --- Slack ------------------------------------------------------------------------------------------


def test_slack_gets_channel_and_text(sink, settings):
    settings.SLACK_WEBHOOK_URL = sink.url
    said = "Auto-scaling triggered for high CPU usage"
    [row] = notifications.notify(said, message=said, channels=["slack"], recipients=["#ops-alerts"])
    work()
    row.refresh_from_db()
    assert row.status == "sent"
    assert got(sink) == [{"channel": "#ops-alerts", "text": said}]


def test_each_slack_channel_has_a_row_of_its_own(settings):
    settings.SLACK_WEBHOOK_URL = "http://127.0.0.1:9/hook"
    rows = notifications.notify("Look", channels=["slack"], recipients=["#one", "#two", "ops@example.com"])
    assert [row.recipients for row in rows] == [["#one"], ["#two"]]


def test_slack_without_its_url_ends_as_not_configured(settings):
    settings.SLACK_WEBHOOK_URL = ""
    [row] = notifications.notify("Look", channels=["slack"])
    work()
    row.refresh_from_db()
    assert (row.status, row.sent_at) == ("not_configured", None)
    assert "SLACK_WEBHOOK_URL" in row.error


def test_slack_that_refuses_is_tried_again_and_its_url_is_not_told(settings):
    with receivers.status(404) as refusing:
        settings.SLACK_WEBHOOK_URL = f"{refusing.url}?token=hunter2hunter2"
        [row] = notifications.notify("Look", channels=["slack"])
        work()
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("pending", 1)
    assert "404" in row.error
    assert "hunter2" not in row.error


def test_markup_of_slack_in_a_message_is_text(sink, settings):
    settings.SLACK_WEBHOOK_URL = sink.url
    notifications.notify("<!channel> a & b", channels=["slack"])
    work()
    assert got(sink) == [{"text": "&lt;!channel&gt; a &amp; b"}]


# --- apprise ----------------------------------------------------------------------------------------


def test_apprise_carries_a_message_from_a_process_of_its_own(sink, settings):
    settings.NOTIFY_APPRISE_URLS = sink.url.replace("http://", "json://")
    [row] = notifications.notify("Disk is full", message="Make room.", urgency="critical", channels=["apprise"])
    work()
    row.refresh_from_db()
    assert (row.status, row.error) == ("sent", "")
    [told] = got(sink)
    assert (told["title"], told["message"], told["type"]) == ("Disk is full", "Make room.", "failure")


def test_each_target_of_apprise_fails_by_itself(sink, settings):
    settings.NOTIFY_APPRISE_URLS = f"{sink.url.replace('http://', 'json://')}, json://127.0.0.1:9/hunter2hunter2"
    notifications.notify("Look", channels=["apprise"])
    work()
    assert statuses("apprise") == ["pending", "sent"]
    failed = Notification.objects.get(status="pending")
    assert "hunter2" not in failed.error + "".join(failed.recipients)


def test_apprise_that_hangs_is_ended_at_its_deadline(settings, monkeypatch):
    monkeypatch.setattr(apprise, "SEND_SECONDS", 2)
    with receivers.hang() as hanging:
        settings.NOTIFY_APPRISE_URLS = hanging.url.replace("http://", "json://")
        [row] = notifications.notify("Look", channels=["apprise"])
        work()
    row.refresh_from_db()
    assert row.status == "pending"
    assert "within 2 s" in row.error


def test_apprise_without_targets_ends_as_not_configured(settings):
    settings.NOTIFY_APPRISE_URLS = ""
    [row] = notifications.notify("Look", channels=["apprise"])
    work()
    row.refresh_from_db()
    assert row.status == "not_configured"


def test_words_that_are_no_target_of_apprise_are_said_to_be_none(settings):
    settings.NOTIFY_APPRISE_URLS = "nosuchservice://somewhere"
    [row] = notifications.notify("Look", channels=["apprise"])
    work()
    row.refresh_from_db()
    assert "none that apprise knows" in row.error


# --- the throttle -----------------------------------------------------------------------------------


def test_the_same_message_within_the_window_is_one_row_with_a_count():
    first, again = (notifications.notify("Disk is full", channels=["email"], recipients=["ops@example.com"])[0] for _ in range(2))
    assert (first.uid, again.count) == (again.uid, 2)


@pytest.mark.parametrize(
    "other", [{"title": "Disk is fuller"}, {"subject": "host:two"}, {"recipients": ["dev@example.com"]}, {"urgency": "critical"}]
)
def test_another_message_is_another_row(other):
    said = {"title": "Disk is full", "channels": ["email"], "recipients": ["ops@example.com"]}
    for values in (said, said | other):
        notifications.notify(**values)
    assert Notification.objects.count() == 2


def test_after_the_window_it_is_said_again(time_machine):
    time_machine.move_to(clock.now(), tick=False)
    notifications.notify("Disk is full")
    time_machine.shift(301)
    notifications.notify("Disk is full")
    assert Notification.objects.filter(channel="dashboard").count() == 2


def test_what_failed_a_moment_ago_is_tried_anew(settings):
    settings.SLACK_WEBHOOK_URL = ""
    for _ in range(2):
        notifications.notify("Look", channels=["slack"])
        work()
    assert statuses("slack") == ["not_configured", "not_configured"]


def test_a_repeated_message_is_unread_again():
    notifications.notify("Disk is full")
    notifications.mark_read(notifications.unread())
    notifications.notify("Disk is full")
    assert notifications.unread().count() == 1


def test_past_an_hours_fill_messages_are_held_back_and_one_summary_counts_them(sink, settings):
    options.set("NOTIFY_MAX_PER_HOUR", 3)
    settings.SLACK_WEBHOOK_URL = sink.url
    for number in range(8):
        notifications.notify(f"Message {number}", channels=["slack"])
    assert statuses("slack") == ["pending"] * 4 + ["suppressed"] * 5
    assert "NOTIFY_MAX_PER_HOUR" in Notification.objects.filter(status="suppressed")[0].error
    work()
    assert len(got(sink)) == 3
    work(minutes=11)
    [summary] = got(sink)[3:]
    assert "held back" in summary["text"]
    assert "5 more since" in summary["text"]


def test_an_hour_later_there_is_room_again(time_machine):
    options.set("NOTIFY_MAX_PER_HOUR", 1)
    time_machine.move_to(clock.now(), tick=False)
    notifications.notify("One", channels=["email"], recipients=["ops@example.com"])
    time_machine.shift(3601)
    [row] = notifications.notify("Two", channels=["email"], recipients=["ops@example.com"])
    assert row.status == "pending"


def test_the_dashboard_is_never_held_back():
    options.set("NOTIFY_MAX_PER_HOUR", 1)
    assert {notifications.notify(f"Message {number}")[0].status for number in range(3)} == {"sent"}


def test_many_messages_are_sent_in_one_turn(sink, settings):
    settings.SLACK_WEBHOOK_URL = sink.url
    for number in range(12):
        notifications.notify(f"Message {number}", channels=["slack"])
    assert (work(), len(got(sink))) == (12, 12)


# --- how bad (C-24) ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "severity", "urgency"), [("healthy", "info", "low"), ("warning", "medium", "normal"), ("critical", "critical", "critical")]
)
def test_health_leads_to_severity_and_severity_to_urgency(health, severity, urgency):
    assert (levels.severity_of(health), levels.urgency_of(severity)) == (severity, urgency)


def test_the_table_has_every_severity_and_every_urgency():
    assert list(levels.SEVERITIES) == ["info", "low", "medium", "high", "critical"]
    assert set(levels.URGENCY.values()) == set(Notification.Urgency.values)
    assert set(levels.HEALTH.values()) <= set(levels.SEVERITIES)


# --- the command ------------------------------------------------------------------------------------


def test_slack_check_arrives(sink, settings, capsys):
    settings.SLACK_WEBHOOK_URL = sink.url
    call_command("notify", "test", "--channel", "slack", "--to", "#ops", "--json")
    assert got(sink)[0]["channel"] == "#ops"
    assert json.loads(capsys.readouterr().out)[0]["status"] == "sent"


def test_slack_check_without_its_url_fails_with_a_sentence(settings):
    settings.SLACK_WEBHOOK_URL = ""
    with pytest.raises(CommandError, match=r"slack is not configured: SLACK_WEBHOOK_URL is not set"):
        call_command("notify", "test", "--channel", "slack")


def test_slack_check_that_is_refused_fails_and_is_not_tried_again(settings):
    with receivers.status(500) as refusing:
        settings.SLACK_WEBHOOK_URL = refusing.url
        with pytest.raises(CommandError, match="status 500"):
            call_command("notify", "test", "--channel", "slack")
    assert statuses("slack") == ["failed"]


def test_a_message_is_sent_from_the_command_line(capsys):
    call_command("notify", "send", "Disk is full", "--urgency", "high", "--channel", "email", "--to", "ops@example.com")
    row = Notification.objects.get()
    assert (row.channel, row.urgency, row.recipients, row.title) == ("email", "high", ["ops@example.com"], "Disk is full")
    call_command("notify", "list", "--channel", "email")
    assert "Disk is full" in capsys.readouterr().out
