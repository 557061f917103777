"""The controller of supervisord, against a real one that runs the demo service."""

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from tests.support import supervised
from tests.support.stack import until

pytestmark = [pytest.mark.serial, pytest.mark.pure]
DEMO = {"program": "demo"}


@pytest.fixture(scope="module")
def demo():
    with supervised.demo() as found:
        yield found


@pytest.fixture
def controller(demo, settings):
    settings.SUPERVISOR_URL = demo.socket
    found = controllers.get("healing.supervisor")
    found.scale(DEMO, 3)
    # supervisord calls a process RUNNING after a second, whether it listens yet or not.
    is_up = lambda: found.status(DEMO).instances == 3 and all(demo.get(number=number)[0] == 200 for number in range(3))  # noqa: E731
    until(is_up, seconds=30, what="three instances that answer")
    return found


def test_it_tells_how_many_run_and_which_processes(controller, demo):
    standing = controller.status(DEMO)
    assert standing.state == "running"
    assert standing.instances == 3
    assert set(standing.pids) == {demo.get(number=number)[1]["pid"] for number in range(3)}


def test_a_member_is_a_service_too(controller, demo):
    assert controller.status({"program": "demo:demo_01"}).pids == (demo.get(number=1)[1]["pid"],)


def test_a_restart_gives_other_processes(controller, demo):
    before = controller.status(DEMO).pids
    assert controller.restart(DEMO) == Done({"members": ["demo:demo_00", "demo:demo_01", "demo:demo_02"]})
    until(lambda: controller.status(DEMO).instances == 3, seconds=20, what="three instances")
    assert not set(before) & set(controller.status(DEMO).pids)


def test_one_that_was_killed_is_failed_and_a_restart_brings_it_back(controller, demo):
    one = {"program": "demo:demo_02"}
    killed = demo.kill(2)
    until(lambda: controller.status(one).state == "failed", seconds=10, what="its failing")
    assert "EXITED" in controller.status(one).detail
    assert isinstance(controller.restart(one), Done)
    until(lambda: controller.status(one).state == "running", seconds=10, what="its running")
    assert controller.status(one).pids != (killed,)


def test_scaling_starts_and_stops_members_and_a_restart_leaves_stopped_ones_alone(controller, demo):
    first = controller.status({"program": "demo:demo_00"}).pids
    assert controller.scale(DEMO, 1) == Done({"instances": 1})
    assert controller.status(DEMO).instances == 1
    assert controller.status(DEMO).pids == first
    assert demo.get(number=2)[0] == 0
    controller.restart(DEMO)
    until(lambda: controller.status(DEMO).state == "running", seconds=10, what="its running")
    assert controller.status(DEMO).instances == 1
    controller.scale(DEMO, 2)
    until(lambda: controller.status(DEMO).instances == 2, seconds=10, what="two instances")
    controller.scale(DEMO, 0)
    assert controller.status(DEMO).state == "stopped"


def test_more_than_are_configured_is_refused_with_what_to_do(controller):
    outcome = controller.scale(DEMO, 4)
    assert isinstance(outcome, Failed)
    assert "Raise its numprocs" in outcome.message


def test_a_program_that_is_not_there(controller):
    assert controller.status({"program": "nothing"}).state == "unknown"
    assert controller.restart({"program": "nothing"}).code == "unknown_program"


def test_without_an_address_nothing_is_tried(controller, settings):
    settings.SUPERVISOR_URL = ""
    assert "SUPERVISOR_URL" in controller.status(DEMO).detail
    assert isinstance(controller.restart(DEMO), NotConfigured)
    assert isinstance(controller.scale(DEMO, 1), NotConfigured)


def test_a_supervisord_that_is_gone_is_unknown_not_stopped(controller, settings, tmp_path):
    settings.SUPERVISOR_URL = f"unix://{tmp_path}/nobody.sock"
    standing = controller.status(DEMO)
    assert standing.state == "unknown"
    assert "No such file" in standing.detail
    assert isinstance(controller.restart(DEMO), Failed)


def test_what_is_no_supervisord_is_told_apart(controller, settings, demo):
    settings.SUPERVISOR_URL = f"{demo.base}"
    assert "404" in controller.status(DEMO).detail
