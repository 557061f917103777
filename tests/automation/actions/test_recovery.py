"""Recovery and tuning through the executor: every step a call of its own, in order, each result kept, nothing claimed that was not done."""

from datetime import timedelta
from typing import ClassVar

import pytest
from django import forms

from automation.actions.optimize_performance import OptimizePerformance
from automation.services.effects import tuning
from config.acts.models import Invocation
from config.acts.plugins.actions import Action, actions
from config.acts.running import invocations
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.kernel.flow.outcomes import Done, NotConfigured, Refused, Waiting
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db

RESTART = "automation.restart_services"
OPTIMIZE = "automation.optimize_performance"


class Recorded(Action):
    """Stands in for an action of another app: notes the order, waits once, refuses `forbidden`."""

    runs = "inline"
    effect = "idempotent"
    calls: ClassVar[list[str]] = []

    class Parameters(forms.Form):
        service = forms.CharField(required=False)

    def __init__(self, name=""):
        self.name = name

    def run(self, params, call):
        what = self.name or params["service"]
        if what == "forbidden":
            return Refused("forbidden may not be restarted.")
        if what == "waits" and not call.state:
            return Waiting(clock.now(), {"again": True})
        if what == "hangs":
            return Waiting(clock.now() + timedelta(hours=1), {"again": True})
        self.calls.append(what)
        return Done({"did": what})


@pytest.fixture
def done(monkeypatch):
    """What the stand-ins were called with, in order. All in this thread: a child process would not see the test's transaction."""
    Recorded.calls.clear()
    monkeypatch.setattr(OptimizePerformance, "runs", "inline")
    with (
        actions.swapped("healing.restart_service", Recorded()),
        actions.swapped("automation.clear_error_queues", Recorded("clear")),
        actions.swapped("automation.reset_connections", Recorded("reset")),
    ):
        yield Recorded.calls


def run(action, params=None, **given):
    """Call it and work until it has ended; waits are over at once."""
    row = invocations.call(action, params or {}, **{"owner": "system", "caller": "test", **given})
    for _ in range(30):
        Invocation.objects.filter(status="waiting").update(due_at=clock.now())
        work_off()
        row.refresh_from_db()
        if row.status not in Invocation.OPEN:
            return row
    raise AssertionError(f"it is still {row.status}")


def children(row):
    return list(Invocation.objects.filter(caller=f"invocation:{row.uid}").order_by("id"))


def test_cancelled_it_ends_the_step_that_it_waits_for_and_begins_no_other(done):
    row = invocations.call(RESTART, {"services": ["hangs", "two"]}, owner="system", caller="test")
    work_off()
    row.refresh_from_db()
    [step] = children(row)
    assert (row.status, step.status) == ("waiting", "waiting")
    assert invocations.cancel(row, reason="Enough.")
    work_off()
    step.refresh_from_db()
    assert (step.status, step.error_message) == ("cancelled", "Enough.")
    assert (children(row), done) == ([step], [])


def test_a_step_called_after_somebody_wanted_it_stopped_ends_too(done, monkeypatch):
    row = invocations.call(RESTART, {"services": ["one"]}, owner="system", caller="test")
    call = invocations.call

    def called_meanwhile(*words, **given):
        assert invocations.cancel(Invocation.objects.get(pk=row.pk), reason="Enough.")
        return call(*words, **given)

    monkeypatch.setattr(invocations, "call", called_meanwhile)
    work_off()
    row.refresh_from_db()
    assert (row.status, [step.status for step in children(row)], done) == ("cancelled", ["cancelled"], [])


def test_services_are_restarted_one_after_the_other(done):
    row = run(RESTART, {"services": ["one", "waits", "three"]})
    assert (row.status, done) == ("completed", ["one", "waits", "three"])
    assert [one["output"] for one in row.output["services"]] == [{"did": "one"}, {"did": "waits"}, {"did": "three"}]
    assert [(child.action, child.status) for child in children(row)] == [("healing.restart_service", "completed")] * 3


def test_without_names_those_of_the_option_are(done):
    options.set("RECOVERY_SERVICES", ["shop", "mail"])
    assert run(RESTART).status == "completed"
    assert done == ["shop", "mail"]


def test_without_any_service_it_is_not_configured(done):
    row = run(RESTART)
    assert (row.status, row.error_code, done) == ("failed", "not_configured", [])
    assert "RECOVERY_SERVICES" in row.error_message


def test_a_service_that_may_not_be_restarted_fails_it_and_the_others_go_on(done):
    row = run(RESTART, {"services": ["one", "forbidden", "three"]})
    assert (row.status, row.error_code, done) == ("failed", "not_all_restarted", ["one", "three"])
    assert "2 of 3" in row.error_message
    assert "forbidden may not be restarted" in row.error_message
    assert [one["status"] for one in row.output["services"]] == ["completed", "refused", "completed"]


def test_the_three_recovery_actions_run_in_the_order_given_and_each_result_is_kept(done):
    options.set("RECOVERY_SERVICES", ["waits"])
    order = ["restart_services", "clear_error_queues", "reset_connections"]
    row = run(OPTIMIZE, {"recovery_actions": order})
    assert (row.status, done) == ("completed", ["waits", "clear", "reset"])
    assert [(one["name"], one["status"]) for one in row.output["results"]] == [(name, "completed") for name in order]
    assert row.output["results"][1]["output"] == {"did": "clear"}
    done.clear()
    run(OPTIMIZE, {"recovery_actions": order[::-1]})
    assert done == ["reset", "clear", "waits"]


def test_a_part_that_did_not_work_is_no_success_and_the_rest_is_done(done):
    row = run(OPTIMIZE, {"recovery_actions": ["restart_services", "reset_connections"]})
    assert (row.status, row.error_code, done) == ("failed", "not_all_done", ["reset"])
    assert "RECOVERY_SERVICES" in row.error_message
    assert "Done: reset_connections" in row.error_message
    kept = [(one["name"], one["status"]) for one in row.output["results"]]
    assert kept == [("restart_services", "failed"), ("reset_connections", "completed")]


def test_what_was_tuned_is_not_tuned_again_while_recovery_goes_on(done, monkeypatch):
    tuned = []
    monkeypatch.setitem(tuning.TARGETS, "database", lambda: tuned.append(1) or Done({"did": "ANALYZE"}))
    options.set("RECOVERY_SERVICES", ["waits"])
    row = run(OPTIMIZE, {"optimization_targets": ["database"], "recovery_actions": ["restart_services"]})
    assert [one["name"] for one in row.output["results"]] == ["database", "restart_services"]
    assert tuned == [1]


def test_an_owner_without_the_right_recovers_nothing(done, django_user_model):
    """The rights count at every step: a user who may nothing gets a refusal, not a recovery."""
    from config.kernel.flow.errors import Forbidden

    django_user_model.objects.create(username="nobody")
    with pytest.raises(Forbidden):
        run(OPTIMIZE, {"recovery_actions": ["reset_connections"]}, owner="nobody")
    assert done == []


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"optimization_targets": ["everything"]}, "optimization_targets"),
        ({"recovery_actions": ["reboot"]}, "recovery_actions"),
    ],
)
def test_unknown_names_are_refused(params, named):
    with pytest.raises(InvalidInput) as caught:
        invocations.clean(OPTIMIZE, params)
    assert named in caught.value.fields


def test_only_what_is_not_configured_is_not_configured():
    assert isinstance(tuning.outcome_of([{"name": "cache", "status": "not_configured", "message": "No Redis."}]), NotConfigured)
