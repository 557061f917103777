"""Scaling: rounding and bounds, the pool through its controller, services through healing's action, and the way back."""

from datetime import timedelta

import pytest
import time_machine
from django import forms

from automation.engine import scaling
from config.acts.models import Invocation
from config.acts.plugins.actions import Action, actions
from config.acts.plugins.controllers import Controller, Standing, controllers
from config.acts.running import invocations
from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Refused, Waiting
from config.kernel.models import AuditRecord
from tests.support.acting.executor import work_off
from tests.support.deeds import perform, take_back

RESOURCES, INFRASTRUCTURE = "automation.scale_resources", "automation.scale_infrastructure"


@pytest.mark.pure
@pytest.mark.parametrize(
    ("current", "factor", "most", "after"),
    [
        (4, 1.5, 20, 6),
        (18, 1.5, 20, 20),
        (20, 1.5, 20, 20),
        (5, 1.5, 20, 8),
        (10, 1.3, 20, 13),
        (100, 1.1, 200, 110),
        (4, 0.5, 20, 2),
        (1, 0.1, 20, 1),
        (2, 0.01, 20, 1),
        (40, 1.5, 20, 20),
    ],
)
def test_the_number_is_rounded_up_and_stays_within_the_bounds(current, factor, most, after):
    assert scaling.plan(current, factor=factor, least=1, most=most).after == after


class Pool(Controller):
    """Stands in for the controller of our workers; `lag` looks pass before it has the new size."""

    def __init__(self, size, lag=0):
        self.size, self.lag, self.wanted = size, lag, size

    def status(self, params):
        if self.lag == 0:
            self.size = self.wanted
        else:
            self.lag -= 1
        return Standing("running", self.size)

    def restart(self, params):
        return Done({})

    def scale(self, params, instances):
        self.wanted = instances
        return Done({})


class Embedded(Controller):
    """What the controller says where there are no workers of their own."""

    def status(self, params):
        return Standing("unknown", detail="Not configured: workers of their own: set REDIS_URL.")


@pytest.mark.django_db
def test_four_processes_become_six_and_it_is_on_record():
    at = clock.now() - timedelta(seconds=30)
    series.record({"cpu_usage": 93.5}, at)
    with controllers.swapped("healing.celery_pool", Pool(4)):
        done = perform(RESOURCES, {"scale_factor": 1.5, "target_metrics": ["cpu_usage", "no_such"]}, id="inv_9")
    assert isinstance(done, Done)
    assert (done.output["before"], done.output["after"], done.output["changed"]) == (4, 6, True)
    assert done.output["metrics"] == {"cpu_usage": 93.5, "no_such": None}
    record = AuditRecord.objects.get(action="workers.scaled")
    assert (record.subject, record.detail["before"], record.detail["after"]) == ("workers:default", 4, 6)
    assert record.detail["invocation"] == "inv_9"


@pytest.mark.django_db
def test_the_option_bounds_it():
    options.set("WORKER_MAX_CONCURRENCY", 5)
    with controllers.swapped("healing.celery_pool", Pool(4)):
        assert perform(RESOURCES, {"scale_factor": 3}).output["after"] == 5
    with controllers.swapped("healing.celery_pool", Pool(5)):
        done = perform(RESOURCES, {"scale_factor": 3})
    assert (done.output["changed"], done.output["after"]) == (False, 5)
    assert AuditRecord.objects.filter(action="workers.scaled").count() == 1


@pytest.mark.django_db
def test_it_is_done_when_the_pool_says_so_and_not_before():
    with controllers.swapped("healing.celery_pool", Pool(4, lag=2)):
        waiting = perform(RESOURCES, {"scale_factor": 1.5})
        assert isinstance(waiting, Waiting)
        done = perform(RESOURCES, {"scale_factor": 1.5}, state=waiting.state)
    assert done.output["after"] == 6


@pytest.mark.django_db
def test_a_pool_that_stays_as_it_is_is_a_failure():
    with controllers.swapped("healing.celery_pool", Pool(4, lag=99)):
        waiting = perform(RESOURCES, {"scale_factor": 1.5})
        with time_machine.travel(clock.now() + timedelta(minutes=1)):
            failed = perform(RESOURCES, {"scale_factor": 1.5}, state=waiting.state)
    assert isinstance(failed, Failed)
    assert "6 processes; there are 4" in failed.message


@pytest.mark.django_db
def test_a_pool_that_cannot_be_counted_is_left_alone(settings, monkeypatch):
    settings.REDIS_URL = "redis://localhost:1/0"
    pool, told = Pool(6), []
    monkeypatch.setattr(pool, "status", lambda params: Standing("unknown", detail="Redis cannot be asked."))
    monkeypatch.setattr(pool, "restart", lambda params: told.append("restart"))
    monkeypatch.setattr(pool, "scale", lambda params, instances: told.append(instances))
    with controllers.swapped("healing.celery_pool", pool):
        found = perform(RESOURCES, {"scale_factor": 1.5}), take_back(RESOURCES, {}, {"changed": True, "before": 4, "after": 6})
    assert [(one.code, one.message) for one in found] == [("no_worker", "Redis cannot be asked.")] * 2
    assert told == []


@pytest.mark.django_db
def test_in_the_one_process_set_up_there_is_no_pool(settings):
    settings.REDIS_URL = ""
    with controllers.swapped("healing.celery_pool", Embedded()):
        found = perform(RESOURCES, {"scale_factor": 1.5})
    assert isinstance(found, NotConfigured)
    assert "REDIS_URL" in found.what


@pytest.mark.django_db
def test_the_pool_goes_back_to_what_it_was_unless_somebody_changed_it():
    pool = Pool(4)
    with controllers.swapped("healing.celery_pool", pool):
        output = perform(RESOURCES, {"scale_factor": 1.5}).output
        assert take_back(RESOURCES, {"scale_factor": 1.5}, output).output["after"] == 4
        assert take_back(RESOURCES, {"scale_factor": 1.5}, output).output["changed"] is False
        pool.wanted = 9
        assert isinstance(take_back(RESOURCES, {"scale_factor": 1.5}, output), Refused)
    assert pool.wanted == 9


# --- services ---------------------------------------------------------------------------------


class Scaled(Action):
    """Stands in for `healing.scale_service`: keeps what it was told."""

    runs = "inline"
    effect = "idempotent"

    class Parameters(forms.Form):
        service = forms.CharField()
        scale_factor = forms.FloatField()
        max_instances = forms.IntegerField(required=False)

    def __init__(self, outcome):
        self.outcome, self.told, self.undone = outcome, [], 0

    def run(self, params, call):
        self.told.append(dict(params))
        return self.outcome

    def undo(self, params, call):
        self.undone += 1
        return Done({"after": call.output["before"]})


def run(action, params):
    return finish(invocations.call(action, params, owner="system", caller="test"))


def finish(row):
    for _ in range(10):
        Invocation.objects.filter(status="waiting").update(due_at=clock.now())
        work_off()
        row.refresh_from_db()
        if row.status not in Invocation.OPEN:
            return row
    raise AssertionError(row.status)


GIVEN = {"service_name": "recommendation-engine", "scale_factor": 1.5, "max_instances": 20}


@pytest.mark.django_db
def test_a_service_is_scaled_by_the_action_that_healing_has_for_it():
    scaled = Scaled(Done({"before": 4, "after": 6, "changed": True}))
    with actions.swapped("healing.scale_service", scaled):
        row = run(INFRASTRUCTURE, GIVEN)
    assert scaled.told == [{"service": "recommendation-engine", "scale_factor": 1.5, "max_instances": 20}]
    assert (row.status, row.output["before"], row.output["after"]) == ("completed", 4, 6)
    assert Invocation.objects.get(uid=row.output["invocation"]).caller == f"invocation:{row.uid}"


@pytest.mark.django_db
def test_a_service_at_its_most_is_reported_as_unchanged():
    with actions.swapped("healing.scale_service", Scaled(Done({"before": 20, "after": 20, "changed": False}))):
        row = run(INFRASTRUCTURE, GIVEN)
    assert (row.status, row.output["changed"]) == ("completed", False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("outcome", "status", "code"),
    [
        (Refused("It may not be scaled."), "refused", "refused"),
        (NotConfigured("SUPERVISOR_URL"), "failed", "not_configured"),
        (Failed("not_scaled", "It has 4 still."), "failed", "not_scaled"),
    ],
)
def test_what_the_service_says_against_it_is_the_answer(outcome, status, code):
    with actions.swapped("healing.scale_service", Scaled(outcome)):
        row = run(INFRASTRUCTURE, GIVEN)
    assert (row.status, row.error_code) == (status, code)


@pytest.mark.django_db
def test_taking_it_back_takes_back_that_call_once():
    scaled = Scaled(Done({"before": 4, "after": 6, "changed": True}))
    with actions.swapped("healing.scale_service", scaled):
        row = run(INFRASTRUCTURE, GIVEN)
        undo = finish(invocations.undo(row, owner="system", caller="test"))
    row.refresh_from_db()
    assert (undo.status, undo.output, row.status, scaled.undone) == ("completed", {"after": 4}, "undone", 1)
