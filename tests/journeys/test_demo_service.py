"""The demo service as its README says: put under watch, killed, noticed, restarted, scaled, by a whole installation of real processes."""

import pytest

from tests.support import supervised
from tests.support.stack import until


@pytest.fixture(scope="module")
def demo():
    with supervised.demo() as found:
        yield found


@pytest.fixture(scope="module")
def house(demo, tmp_path_factory):
    with supervised.watched(demo, tmp_path_factory.mktemp("house")) as found:
        yield found


def status(house):
    return house.call("/api/v1/healing/services/demo/status").json()


def ended(house, uid):
    """The state of a call, once it has one that lasts."""
    [[state, said]] = house.rows("SELECT status, error_message FROM acts_invocation WHERE uid = %s", uid)
    return (state, said) if state in ("completed", "failed", "refused", "timeout") else None


def test_it_is_seen_killed_and_brought_back_with_other_processes(house, demo):
    until(lambda: status(house)["instances"] == 3 and status(house)["health"] == "healthy", seconds=60, what="its being seen")
    killed = demo.kill(0)
    seen = until(lambda: (found := status(house))["health"] == "critical" and found, seconds=60, what="its being noticed")
    assert killed not in seen["pids"]
    assert "demo:demo_00 is EXITED" in seen["status_detail"]
    asked = house.call("/api/v1/healing/services/demo/restart", {}).json()
    assert until(lambda: ended(house, asked["id"]), seconds=90, what="the restart's end") == ("completed", "")
    pid = demo.get()[1]["pid"]
    assert pid != killed
    until(lambda: (found := status(house))["health"] == "healthy" and pid in found["pids"], seconds=60, what="its being well again")
    told = [row[0] for row in house.rows("SELECT type FROM kernel_event WHERE type LIKE 'service.%%' ORDER BY id")]
    assert "service.restarted" in told
    assert told.count("service.status_changed") >= 3


def test_it_runs_and_is_not_well_until_it_is_restarted(house, demo):
    until(lambda: status(house)["health"] == "healthy", seconds=60, what="its being well")
    assert demo.get("/break", method="POST")[0] == 200
    until(lambda: status(house)["health"] == "critical", seconds=60, what="its being noticed")
    assert status(house)["status"] == "running"
    house.manage(*supervised.command_of_the_readme("restart", demo))
    until(lambda: status(house)["health"] == "healthy", seconds=90, what="its being well again")


def test_it_is_scaled_and_not_past_its_bounds(house, demo):
    house.manage(*supervised.command_of_the_readme("scale", demo))
    until(lambda: status(house)["instances"] == 1, seconds=90, what="one instance")
    assert demo.get(number=2)[0] == 0
    # One works on a service at a time, and the first looks at its health before it ends.
    until(lambda: not house.rows("SELECT 1 FROM acts_invocation WHERE ended_at IS NULL"), seconds=60, what="the end of the first scaling")
    asked = house.call("/api/v1/healing/services/demo/scale", {"scale_factor": 10}).json()
    assert until(lambda: ended(house, asked["id"]), seconds=90, what="the end of scaling") == ("completed", "")
    until(lambda: status(house)["instances"] == 3, seconds=60, what="three instances")
