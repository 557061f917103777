"""A person's yes or no: who may answer, once, in time; and what becomes of what waits."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.acts.models import Approval
from config.acts.running import approvals, invocations
from config.kernel.flow import clock, jobs
from config.kernel.flow.errors import Conflict, Forbidden, NotFound
from config.kernel.models import AuditRecord, Event, Notification
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting():
    """A critical call that a rule made, and its question."""
    row = invocations.call("acting.critical", {}, owner="system", caller="execution:exe_1", follower="kernel.tidy", is_automatic=True)
    return row, Approval.objects.get()


def test_asking_is_an_event_and_a_message_to_people(waiting):
    row, approval = waiting
    assert approval.expires_at > clock.now() + timedelta(hours=23)
    assert Event.objects.get(type="approval.requested").subject == f"invocation:{row.uid}"
    note = Notification.objects.get(channel="dashboard")
    assert (note.link, note.urgency) == (f"/approvals/{approval.uid}", "high")
    assert approvals.ask(approval.subject, question="again?", scope=approval.scope).pk == approval.pk


def test_a_yes_lets_it_run(waiting, admin_user):
    row, approval = waiting
    approvals.decide(approval, user=admin_user, is_approved=True, note="go")
    assert (approval.status, approval.decided_by) == ("approved", "admin")
    [row] = work_off()
    assert row.status == "completed"
    assert AuditRecord.objects.get(action="approval.approved").detail["note"] == "go"
    event = Event.objects.get(type="approval.decided")
    assert b'"status":"approved"' in bytes(event.body)


def test_a_no_refuses_it_and_nudges_who_waits(waiting, admin_user, monkeypatch):
    row, approval = waiting
    nudged = []
    monkeypatch.setattr(jobs, "nudge", nudged.append)
    approvals.decide(approval, user=admin_user, is_approved=False, note="not tonight")
    row.refresh_from_db()
    assert (row.status, row.error_code, row.error_message) == ("refused", "approval_rejected", "admin said no: not tonight")
    assert "kernel.tidy" in nudged


def test_an_answer_needs_the_permission_that_the_question_names(waiting, operator):
    row, approval = waiting
    with pytest.raises(Forbidden, match="actions:execute_critical"):
        approvals.decide(approval, user=operator, is_approved=True)
    row.refresh_from_db()
    assert row.status == "awaiting_approval"


def test_an_answer_is_given_once(waiting, admin_user):
    _, approval = waiting
    stale = Approval.objects.get()
    approvals.decide(approval, user=admin_user, is_approved=False)
    with pytest.raises(Conflict, match="rejected already, by admin"):
        approvals.decide(stale, user=admin_user, is_approved=True)


@pytest.mark.parametrize("deed", ["decide", "cancel"])
def test_what_waits_is_taken_before_its_question_so_that_two_at_once_never_wait_for_each_other(waiting, admin_user, deed):
    row, approval = waiting
    with CaptureQueriesContext(connection) as seen:
        invocations.cancel(row) if deed == "cancel" else approvals.decide(approval, user=admin_user, is_approved=True)
    asked = [one["sql"] for one in seen if "FROM" in one["sql"] or "UPDATE" in one["sql"]]
    first_call = next(at for at, sql in enumerate(asked) if 'FROM "acts_invocation"' in sql)
    first_change = next(at for at, sql in enumerate(asked) if sql.startswith('UPDATE "acts_approval"'))
    assert first_call < first_change


def test_no_answer_in_time_is_a_no(waiting, admin_user):
    row, approval = waiting
    assert jobs.work("acts.approvals") == 0
    with time_machine.travel(clock.now() + timedelta(hours=25)):
        with pytest.raises(Conflict, match="no answer is a no"):
            approvals.decide(approval, user=admin_user, is_approved=True)
        assert jobs.work("acts.approvals") == 1
    row.refresh_from_db()
    approval.refresh_from_db()
    assert (row.status, row.error_code, approval.status) == ("refused", "approval_expired", "expired")


def test_a_question_of_something_else_is_only_announced(admin_user):
    approval = approvals.ask("run:run_1", question="Deploy?", scope="workflows:execute", detail={"version": 2}, asked_by="run:run_1")
    approvals.decide(approval, user=admin_user, is_approved=True)
    assert Event.objects.get(type="approval.decided").subject == "run:run_1"
    with pytest.raises(NotFound):
        approvals.find("apr_none")
