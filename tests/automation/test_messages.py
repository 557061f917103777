"""The actions that tell people something: done once every channel took it, never before."""

import json

import pytest
from django.core import mail

from automation.actions.notify_slack import NotifySlack
from automation.actions.send_notification import SendNotification
from config.acts.plugins.actions import Call
from config.acts.running import forms
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Waiting
from config.kernel.models import Notification
from config.kernel.watch import notifications
from tests.support import receivers

pytestmark = pytest.mark.django_db


def act(action, state=None, **params):
    """The action, called as invocations call it."""
    return action.run(forms.clean(action.Parameters, params), Call("inv_1", "key-1", "system", state=state or {}))


def until_the_end(action, **params):
    """Call, send what is due, call again with the state: what came of it."""
    ended = act(action, **params)
    while isinstance(ended, Waiting):
        notifications.Notify().work(ended.resume_at, 100)
        ended = act(action, state=ended.state, **params)
    return ended


def test_a_notification_is_a_mail_and_a_row_with_its_urgency():
    done = until_the_end(SendNotification(), recipients=["ops@example.com"], message="Disk is full.\nMake room.", urgency="high")
    assert isinstance(done, Done)
    [sent] = mail.outbox
    assert (sent.to, sent.subject) == (["ops@example.com"], "Disk is full.")
    row = Notification.objects.get(channel="email")
    assert (row.urgency, row.status, row.message) == ("high", "sent", "Disk is full.\nMake room.")
    assert done.output["channels"] == ["dashboard", "email"]


def test_it_waits_while_a_row_is_not_sent_yet():
    waiting = act(SendNotification(), recipients=["ops@example.com"], message="Look")
    assert isinstance(waiting, Waiting)
    assert waiting.resume_at > clock.now()
    assert len(waiting.state["notifications"]) == 2
    assert mail.outbox == []


def test_a_channel_that_is_not_configured_is_no_success(settings):
    settings.SLACK_WEBHOOK_URL = ""
    ended = until_the_end(SendNotification(), recipients=["ops@example.com", "#ops"], message="Look")
    assert isinstance(ended, NotConfigured)
    assert Notification.objects.get(channel="slack").uid in ended.what
    assert len(mail.outbox) == 1


def test_a_channel_that_refuses_to_the_end_is_a_failure_that_names_its_row(settings):
    with receivers.status(500) as refusing:
        settings.SLACK_WEBHOOK_URL = refusing.url
        ended = until_the_end(SendNotification(), recipients=["#ops"], message="Look")
    assert isinstance(ended, Failed)
    assert Notification.objects.get(channel="slack").uid in ended.message
    assert "500" in ended.message


def test_what_was_held_back_is_no_success():
    options.set("NOTIFY_MAX_PER_HOUR", 1)
    until_the_end(SendNotification(), recipients=["ops@example.com"], message="One")
    ended = act(SendNotification(), recipients=["ops@example.com"], message="Two", channels=["email"])
    assert isinstance(ended, Failed)
    assert "NOTIFY_MAX_PER_HOUR" in ended.message


def test_started_again_after_a_crash_it_sends_nothing_twice():
    act(SendNotification(), recipients=["ops@example.com"], message="Look")
    until_the_end(SendNotification(), recipients=["ops@example.com"], message="Look")
    assert len(mail.outbox) == 1


def test_without_recipients_everybody_who_is_configured_is_told():
    options.set("NOTIFY_EMAILS", ["all@example.com"])
    assert isinstance(until_the_end(SendNotification(), message="Look"), Done)
    assert mail.outbox[0].to == ["all@example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("recipients", ["nobody"]), ("urgency", "extreme"), ("channels", ["pigeon"]), ("message", ""), ("priority", 1), ("title", "x" * 201)],
)
def test_wrong_parameters_are_named(name, value):
    with pytest.raises(InvalidInput) as refused:
        act(SendNotification(), **{"message": "Look", name: value})
    assert name in refused.value.fields


def test_slack_gets_the_channel_and_the_text(settings):
    with receivers.ok() as sink:
        settings.SLACK_WEBHOOK_URL = sink.url
        said = "Auto-scaling triggered for high CPU usage"
        assert isinstance(until_the_end(NotifySlack(), channel="#ops-alerts", message=said), Done)
    assert [json.loads(one.body) for one in sink.requests] == [{"channel": "#ops-alerts", "text": said}]
    assert Notification.objects.count() == 1


def test_slack_without_its_url_is_not_configured(settings):
    settings.SLACK_WEBHOOK_URL = ""
    ended = until_the_end(NotifySlack(), channel="#ops-alerts", message="Look")
    assert isinstance(ended, NotConfigured)
    assert "SLACK_WEBHOOK_URL" in ended.what
