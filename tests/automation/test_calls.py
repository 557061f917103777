"""The actions as they are asked for: by invocations, worked off by the executor, in several turns."""

import pytest
from django.core import mail

from automation.models import Report
from config.acts.models import Invocation
from config.acts.plugins.actions import actions
from config.acts.running import invocations
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import Notification
from config.kernel.watch import notifications
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db
OURS = ("backup_data", "generate_report", "notify_slack", "send_notification")


def called(name, **params):
    """Asked for, and run to its end: turn by turn, messages sent in between."""
    row = invocations.call(f"automation.{name}", params, owner="system", caller="test")
    for _ in range(12):
        work_off()
        row.refresh_from_db()
        if row.status != "waiting":
            return row
        Notification.objects.filter(status="pending").update(next_attempt_at=row.created_at)
        notifications.Notify().work(row.due_at, 100)
        Invocation.objects.filter(pk=row.pk).update(due_at=row.created_at)
    raise AssertionError(f"it is still {row.status}")


def test_a_notification_is_completed_once_it_was_sent():
    row = called("send_notification", recipients=["ops@example.com"], message="Disk is full", urgency="critical")
    assert (row.status, row.attempts) == ("completed", 1)
    assert len(mail.outbox) == 1
    assert set(row.output["notifications"]) == set(Notification.objects.values_list("uid", flat=True))


def test_slack_that_is_not_configured_fails_as_such(settings):
    settings.SLACK_WEBHOOK_URL = ""
    row = called("notify_slack", channel="#ops-alerts", message="Look")
    assert (row.status, row.error_code) == ("failed", "not_configured")
    assert "SLACK_WEBHOOK_URL" in row.error_message


def test_a_report_is_completed_once_its_mail_was_sent():
    row = called("generate_report", report_types=["system"], recipients=["ops@example.com"])
    assert row.status == "completed"
    assert Report.objects.get().uid == row.output["report"]
    assert len(mail.outbox[0].attachments) == 1


def test_wrong_parameters_are_refused_before_there_is_a_row():
    with pytest.raises(InvalidInput):
        invocations.call("automation.backup_data", {"backup_types": ["all"], "retention_days": 7}, owner="system", caller="test")
    assert not Invocation.objects.exists()


@pytest.mark.parametrize("name", OURS)
def test_each_says_what_it_will_do_in_words_that_a_person_can_approve(name):
    params = {"recipients": ["ops@example.com"], "message": "Look", "channel": "#ops", "report_types": ["system"]}
    words = actions.get(f"automation.{name}").summary({**params, "backup_types": ["config"], "retention_days": 7})
    assert len(words) > 10
