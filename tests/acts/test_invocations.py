"""Calling an action: parameters, rights, keys, levels; cancelling and undoing."""

from datetime import timedelta

import pytest

from config.acts.models import Approval, Invocation
from config.acts.running import invocations
from config.acts.running.invocations import Wanted
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, Forbidden, InvalidInput, NotFound
from config.kernel.models import AuditRecord
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db


def call(action="acting.noop", params=None, **given):
    return invocations.call(action, params or {}, **{"owner": "system", "caller": "test", **given})


def test_a_call_is_a_row_with_cleaned_parameters_and_an_audit_record():
    row = call("acting.echo", {"times": "2", "secret": "hunter2"}, caller="api", priority=3)
    assert (row.status, row.params["times"], row.params["text"], row.priority) == ("pending", 2, "hello", 3)
    record = AuditRecord.objects.get(action="action.called")
    assert (record.kind, record.subject, record.detail["action"]) == ("action_execution", f"invocation:{row.uid}", "acting.echo")
    assert "hunter2" not in str(record.detail) + row.summary


def test_parameters_are_encrypted_where_they_are_stored(django_assert_num_queries):
    from django.db import connection

    row = call("acting.echo", {"secret": "hunter2", "value": {"inner": "hunter3"}})
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM acts_invocation WHERE uid = %s", [row.uid])
        stored = str(cursor.fetchall())
    assert "hunter2" not in stored
    assert "hunter3" not in stored
    assert invocations.find(row.uid).params["secret"] == "hunter2"
    assert invocations.masked(row)["secret"] == "********"


def test_unknown_actions_and_bad_parameters_are_refused_before_there_is_a_row():
    with pytest.raises(NotFound, match=r"acting\.noop"):
        call("acting.nope")
    with pytest.raises(InvalidInput) as caught:
        call("acting.sleep", {"seconds": "long"})
    assert list(caught.value.fields) == ["seconds"]
    with pytest.raises(InvalidInput):
        call(timeout_seconds=-1)
    with pytest.raises(InvalidInput):
        call(retry={"strategy": "hopeful"})
    with pytest.raises(InvalidInput):
        call(retry={"tries": 3})
    assert not Invocation.objects.exists()


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1])
def test_a_time_out_that_is_no_length_is_refused(seconds):
    with pytest.raises(InvalidInput, match="time-out"):
        call(timeout_seconds=seconds)


def test_the_same_key_is_the_same_call_and_of_another_action_a_conflict():
    first = call(key="exe_1:0")
    assert call(key="exe_1:0").pk == first.pk
    assert Invocation.objects.count() == 1
    assert AuditRecord.objects.filter(action="action.called").count() == 1
    with pytest.raises(Conflict):
        call("acting.echo", key="exe_1:0")


def test_many_calls_are_made_together_or_not_at_all(django_assert_max_num_queries):
    wanted = [Wanted("acting.noop", {}, "system", "test", key=f"k{number}") for number in range(100)]
    with django_assert_max_num_queries(12):
        rows = invocations.call_many([*wanted, wanted[0]])
    assert len({row.pk for row in rows}) == 100
    assert rows[0].pk == rows[-1].pk
    with pytest.raises(InvalidInput):
        invocations.call_many([Wanted("acting.noop", {}, "system", "test"), Wanted("acting.wait", {}, "system", "test")])
    assert Invocation.objects.count() == 100


def test_an_operator_may_call_what_is_standard_and_not_what_is_critical(operator):
    assert call(owner="olga").status == "pending"
    with pytest.raises(Forbidden, match="actions:execute_critical"):
        call("acting.critical", owner="olga")
    with pytest.raises(Forbidden):
        call(owner="nobody")


@pytest.mark.parametrize("loses", ["group", "account"])
def test_rights_are_asked_again_when_it_starts(operator, loses):
    row = call(owner="olga")
    if loses == "group":
        operator.groups.clear()
    else:
        operator.is_active = False
        operator.save()
    work_off()
    row.refresh_from_db()
    assert (row.status, row.error_code) == ("refused", "owner_may_not")
    assert row.error_message.startswith("owner may not")


# --- levels -----------------------------------------------------------------------------------


def automatic(action):
    return call(action, is_automatic=True)


def test_a_manual_level_refuses_what_starts_by_itself_and_nothing_else():
    options.set("AUTOMATION_LEVEL", "manual")
    row = automatic("acting.noop")
    assert (row.status, row.error_code) == ("refused", "level")
    assert "suggestion only" in row.error_message
    assert call().status == "pending"


def test_the_intelligent_level_asks_for_what_is_critical():
    assert automatic("acting.noop").status == "pending"
    row = automatic("acting.critical")
    assert row.status == "awaiting_approval"
    approval = Approval.objects.get()
    assert (approval.subject, approval.scope, approval.status) == (f"invocation:{row.uid}", "actions:execute_critical", "pending")
    assert [one.status for one in work_off()] == ["completed", "awaiting_approval"], "what waits for an answer does not run"


def test_the_autonomous_level_runs_everything_and_the_assisted_one_asks_for_everything():
    options.set("AUTOMATION_LEVEL", "autonomous")
    assert automatic("acting.critical").status == "pending"
    options.set("AUTOMATION_LEVEL", "assisted")
    assert automatic("acting.noop").status == "awaiting_approval"


def test_with_automation_stopped_only_people_start_something():
    options.set("AUTOMATION_RUNNING", False)
    assert automatic("acting.noop").status == "refused"
    assert call().status == "pending"


# --- cancelling and undoing ---------------------------------------------------------------------


def test_what_waits_is_cancelled_at_once_and_its_question_is_closed():
    options.set("AUTOMATION_LEVEL", "assisted")
    row = automatic("acting.noop")
    assert invocations.cancel(row, reason="not needed")
    row.refresh_from_db()
    assert (row.status, row.error_message) == ("cancelled", "not needed")
    assert Approval.objects.get().status == "rejected"
    assert not invocations.cancel(row)


def test_what_is_completed_is_undone_once(tmp_path):
    from config.acts.plugins.actions import actions

    file = tmp_path / "made"
    row = call("acting.undoable", {"file": str(file)})
    undoable = actions.get("acting.undoable")
    with pytest.raises(Conflict, match="only what is completed"):
        invocations.undo(row, owner="system", caller="test")
    with actions.swapped("acting.undoable", inline(undoable)):
        work_off()
        assert file.exists()
        undo = invocations.undo(row, owner="system", caller="test")
        work_off()
    assert not file.exists()
    row.refresh_from_db()
    undo.refresh_from_db()
    assert (row.status, undo.status, undo.output) == ("undone", "completed", {"removed": str(file)})
    with pytest.raises(Conflict, match="at most once"):
        invocations.undo(row, owner="system", caller="test")
    with pytest.raises(Conflict, match="took something back itself"):
        invocations.undo(undo, owner="system", caller="test")


def test_an_undo_that_fails_leaves_the_original_completed(tmp_path):
    from config.acts.plugins.actions import actions

    row = call("acting.undoable", {"file": str(tmp_path / "made")})
    with actions.swapped("acting.undoable", inline(actions.get("acting.undoable"))):
        work_off()
        (tmp_path / "made").unlink()
        undo = invocations.undo(row, owner="system", caller="test")
        work_off()
    row.refresh_from_db()
    undo.refresh_from_db()
    assert (row.status, undo.status, undo.error_code) == ("completed", "failed", "gone")


def test_what_has_no_way_back_and_who_has_no_right_is_refused(operator):
    row = call()
    work_off()
    with pytest.raises(Conflict, match="cannot be undone"):
        invocations.undo(row, owner="system", caller="test")


def inline(action):
    """The same, in this process."""
    kind = type(action)
    return type(kind.__name__, (kind,), {"runs": "inline", "undo": kind.undo})()


def test_a_later_call_waits_for_its_time():
    row = call(due_at=clock.now() + timedelta(hours=1))
    assert [one.status for one in work_off()] == ["pending"]
    Invocation.objects.filter(pk=row.pk).update(due_at=clock.now())
    assert [one.status for one in work_off()] == ["completed"]
