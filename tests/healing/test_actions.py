"""Restarting and scaling by the actions of healing: only what is allowed, until it is well, taken back only while it is ours."""

from datetime import timedelta

import orjson
import pytest

from config.acts.plugins.actions import Call, actions
from config.kernel.flow import clock
from config.kernel.flow.errors import NotFound
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Refused, Waiting
from config.kernel.models import AuditRecord, Event
from healing.enums import Health
from healing.services import health, services
from healing.services.health import Checked
from tests.support.steered import watched

pytestmark = pytest.mark.django_db
RESTART, SCALE = actions.get("healing.restart_service"), actions.get("healing.scale_service")


def call(key="one", **more):
    return Call(id="inv_1", key=key, owner="system", **more)


def restart(service="web", wait_seconds=60, **more):
    return RESTART.run({"service": service, "wait_seconds": wait_seconds}, call(**more))


def scale(key="one", state=None, **params):
    return SCALE.run({"service": "web", **params}, call(key, state=state or {}))


def data_of(type):
    return [orjson.loads(bytes(one.body))["data"] for one in Event.objects.filter(type=type).order_by("id")]


@pytest.mark.parametrize("action", [RESTART, SCALE])
def test_they_are_standard_because_each_service_has_a_switch_of_its_own(action):
    assert (action.permission, action.runs, action.effect) == ("standard", "child", "idempotent")


@pytest.mark.usefixtures("pretend")
def test_what_is_held_meanwhile_is_the_service_whatever_it_is_called_by():
    service = watched()
    assert RESTART.target({"service": "web"}) == SCALE.target({"service": service.uid}) == "service:web"
    assert RESTART.summary({"service": "web"}) == "Restart the service web"
    assert SCALE.summary({"service": "web", "scale_factor": 1.5}) == "Scale the service web 1.5 times"


def test_a_service_that_nobody_has_allowed_it_for_is_left_alone(pretend):
    watched(may_be_restarted=False, may_be_scaled=False)
    assert "may_be_restarted" in restart().reason
    assert "may_be_scaled" in scale(instances=2).reason
    assert pretend.told == []


@pytest.mark.usefixtures("pretend")
def test_a_service_that_is_not_there():
    with pytest.raises(NotFound):
        restart("ghost")


def test_a_restart_is_done_when_it_is_well_and_tells_old_and_new_processes(pretend):
    watched()
    outcome = restart()
    assert isinstance(outcome, Done)
    assert (outcome.output["pids_before"], outcome.output["pids_after"]) == ([100], [1100])
    assert data_of("service.restarted")[0]["pids_before"] == [100]
    assert AuditRecord.objects.filter(action="service.restarted").count() == 1


def test_a_restart_that_takes_long_waits_and_goes_on_without_restarting_again(pretend, frozen):
    watched()
    pretend.is_slow = True
    outcome = restart()
    assert isinstance(outcome, Waiting)
    assert outcome.resume_at == clock.now() + timedelta(seconds=2)
    frozen.shift(2)
    outcome = restart(state=orjson.loads(orjson.dumps(dict(outcome.state))))
    assert isinstance(outcome, Waiting), "the old process is still there"
    pretend.come_back()
    assert restart(state=outcome.state).output["seconds"] == 2
    assert pretend.told == ["restart"]


def test_a_restart_after_which_it_is_not_well_fails_when_its_time_is_up(pretend, frozen, monkeypatch):
    watched()
    monkeypatch.setattr(health, "check", lambda service: Checked(Health.CRITICAL, "It answered 500, not 200."))
    outcome = restart(wait_seconds=10)
    frozen.shift(9)
    outcome = restart(wait_seconds=10, state=outcome.state)
    assert isinstance(outcome, Waiting)
    frozen.shift(1)
    outcome = restart(wait_seconds=10, state=outcome.state)
    assert outcome.code == "not_back"
    assert "answered 500" in outcome.message


@pytest.mark.parametrize("answer", [Failed("x", "It did not."), NotConfigured("a door")])
def test_what_the_controller_could_not_do_is_not_announced(pretend, answer):
    watched()
    pretend.broken = answer
    assert restart() is answer
    assert scale(instances=3) is answer
    assert data_of("service.restarted") == data_of("service.scaled") == []


@pytest.mark.parametrize(("current", "factor", "after"), [(4, 1.5, 6), (18, 1.5, 20), (10, 1.3, 13)])
def test_scaling_by_a_factor_rounds_up_and_stops_at_the_most(pretend, current, factor, after):
    pretend.pids = tuple(range(current))
    watched()
    outcome = scale(scale_factor=factor)
    assert outcome.output["changed"] is True
    assert (outcome.output["before"], outcome.output["after"], len(pretend.pids)) == (current, after, after)
    assert data_of("service.scaled") == [{"service_id": services.find("web").uid, "service": "web", "before": current, "after": after}]


def test_at_the_most_nothing_is_done_and_that_is_said(pretend):
    pretend.pids = tuple(range(20))
    watched()
    outcome = scale(scale_factor=1.5)
    assert outcome.output["changed"] is False
    assert "the most it may have" in outcome.output["message"]
    assert pretend.told == []
    assert data_of("service.scaled") == []


def test_the_bound_of_a_call_holds_below_that_of_the_service(pretend):
    pretend.pids = tuple(range(4))
    watched()
    assert scale(scale_factor=2, max_instances=5).output["after"] == 5
    assert scale("two", instances=9).output["after"] == 9


def test_the_same_call_begun_again_after_a_crash_multiplies_only_once(pretend):
    pretend.pids = tuple(range(4))
    watched()
    scale("one", scale_factor=1.5)
    assert scale("one", scale_factor=1.5).output["after"] == 6
    assert len(pretend.pids) == 6
    assert scale("another", scale_factor=1.5).output["after"] == 9


def test_scaling_waits_until_there_are_as_many(pretend, frozen):
    watched()
    pretend.is_slow = True
    outcome = scale(instances=3, wait_seconds=10)
    assert isinstance(outcome, Waiting)
    frozen.shift(10)
    late = scale(instances=3, wait_seconds=10, state=outcome.state)
    assert late.code == "not_scaled"
    assert "3 instances and has 1" in late.message
    pretend.pids = (1, 2, 3)
    assert scale(instances=3, state=outcome.state).output["after"] == 3


def test_a_scaling_that_nobody_can_confirm_is_no_success(pretend, frozen):
    watched()
    pretend.is_slow = True
    outcome = scale(instances=3, wait_seconds=10)
    pretend.counts, pretend.state = False, "unknown"
    assert isinstance(scale(instances=3, state=outcome.state), Waiting)
    frozen.shift(10)
    late = scale(instances=3, state=outcome.state)
    assert (late.code, "has an unknown number" in late.message) == ("not_scaled", True)


def test_a_factor_of_an_unknown_number_fails_and_a_plain_number_does_not(pretend):
    pretend.counts = False
    watched()
    assert scale(scale_factor=2).code == "unknown_instances"
    assert scale(instances=3).output["before"] is None


def test_a_controller_that_cannot_scale_is_not_asked_to(pretend, monkeypatch):
    monkeypatch.setattr(type(pretend), "can_scale", False)
    watched()
    assert isinstance(scale(instances=3), Refused)


def undo(output, **more):
    return SCALE.undo({"service": "web"}, call("undo:one", output=output, **more))


def test_scaling_is_taken_back(pretend):
    pretend.pids = tuple(range(4))
    watched()
    assert SCALE.can_undo
    outcome = undo(scale(scale_factor=1.5).output)
    assert (outcome.output["before"], outcome.output["after"]) == (6, 4)
    assert len(pretend.pids) == 4


def test_scaling_is_not_taken_back_once_somebody_has_changed_it(pretend):
    watched()
    done = scale(instances=6)
    pretend.pids = tuple(range(7))
    outcome = undo(done.output)
    assert "has 7 instances, not the 6" in outcome.reason
    assert len(pretend.pids) == 7


def test_scaling_is_not_taken_back_blindly_and_nobody_is_blamed(pretend):
    watched()
    done = scale(instances=6)
    pretend.counts = False
    outcome = undo(done.output)
    assert (outcome.code, "not known" in outcome.message, len(pretend.pids)) == ("unknown_instances", True, 6)


@pytest.mark.parametrize("output", [{"changed": False}, {"changed": True, "before": 1, "after": 6}])
def test_there_may_be_nothing_to_take_back(pretend, output):
    watched()
    assert undo(output).output["changed"] is False
    assert pretend.told == []


@pytest.mark.usefixtures("pretend")
def test_a_number_that_was_never_known_cannot_be_restored():
    watched()
    assert "not known" in undo({"changed": True, "before": None, "after": 3}).reason


@pytest.mark.parametrize("given", [{"service": "web"}, {"service": "web", "instances": 2, "scale_factor": 2}])
def test_a_number_or_a_factor_must_be_given_and_not_both(given):
    form = SCALE.Parameters(given)
    assert form.errors["__all__"] == ["Give either `instances` or `scale_factor`."]
