"""The demo service as its README says: put under watch, killed, noticed, restarted, scaled, by a whole installation of real processes."""

import shlex

import pytest

from tests.support import stack, supervised
from tests.support.stack import until

README = (supervised.HERE / "README.md").read_text()


@pytest.fixture(scope="module")
def demo():
    with supervised.demo() as found:
        yield found


@pytest.fixture(scope="module")
def house(demo, tmp_path_factory):
    """An installation that knows where supervisord listens."""
    settings = {
        "SUPERVISOR_URL": demo.socket,
        "STEWARD_TRUSTED_TARGETS": ",".join(f"http://127.0.0.1:{demo.port + number}" for number in range(3)),
        "SERVICE_CHECK_SECONDS": "1",
    }
    with stack.installation(tmp_path_factory.mktemp("house"), **settings) as found:
        found.manage(*command_of_the_readme("register", demo))
        yield found


def command_of_the_readme(deed, demo):
    """The words after `manage.py` of the command that the README prints for this deed, for where this one listens."""
    text = README.replace("\\\n", " ").replace("8870", str(demo.port))
    line = next(line for line in text.splitlines() if line.startswith(f"python3 manage.py services {deed}"))
    return shlex.split(line)[2:]


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
    house.manage(*command_of_the_readme("restart", demo))
    until(lambda: status(house)["health"] == "healthy", seconds=90, what="its being well again")


def test_it_is_scaled_and_not_past_its_bounds(house, demo):
    house.manage(*command_of_the_readme("scale", demo))
    until(lambda: status(house)["instances"] == 1, seconds=90, what="one instance")
    assert demo.get(number=2)[0] == 0
    asked = house.call("/api/v1/healing/services/demo/scale", {"scale_factor": 10}).json()
    assert until(lambda: ended(house, asked["id"]), seconds=90, what="the end of scaling") == ("completed", "")
    until(lambda: status(house)["instances"] == 3, seconds=60, what="three instances")
