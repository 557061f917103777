"""The controller of Docker, against a stand-in that refuses what the engine's reference does not name, over a unix socket and over TCP."""

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from tests.support.engines import DockerEngine, served

pytestmark = pytest.mark.pure
DOCKER = controllers.get("healing.docker")
WEB = {"kind": "container", "name": "web", "project": ""}
POOL = {"kind": "compose", "name": "worker", "project": "shop"}
SWARM = {"kind": "swarm", "name": "api", "project": ""}


@pytest.fixture(params=["unix", "tcp"])
def engine(request, tmp_path, settings):
    found = DockerEngine()
    found.add("web")
    for number in (10, 9, 2, 1):
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "worker"}
        found.add(f"w{number}", labels={**labels, "com.docker.compose.container-number": str(number)}, running=number < 3)
    found.add_service("api", 4)
    found.add_service("agent", None)
    with served(found, socket=tmp_path / "d.sock" if request.param == "unix" else None) as address:
        settings.DOCKER_HOST = address.replace("http://", "tcp://")
        yield found


def runs(engine, name):
    return engine.containers[name]["State"]["Running"]


def test_a_container_runs(engine):
    standing = DOCKER.status(WEB)
    assert (standing.state, standing.instances, standing.pids) == ("running", 1, (101,))


@pytest.mark.parametrize(
    ("state", "word", "detail"),
    [
        ({"running": False}, "stopped", ""),
        ({"running": False, "ExitCode": 137, "OOMKilled": True}, "failed", "It ended with 137, out of memory."),
        ({"Restarting": True}, "starting", ""),
        ({"Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": []}}, "running", "Docker calls it unhealthy."),
        ({"Paused": True, "Status": "paused"}, "stopped", ""),
    ],
)
def test_how_a_container_stands(engine, state, word, detail):
    engine.add("odd", **state)
    standing = DOCKER.status({**WEB, "name": "odd"})
    assert (standing.state, standing.detail) == (word, detail)


def test_a_restart_gives_another_process(engine):
    before = DOCKER.status(WEB).pids
    assert isinstance(DOCKER.restart(WEB), Done)
    assert DOCKER.status(WEB).pids != before


def test_a_compose_service_is_scaled_by_its_containers_in_their_order(engine):
    assert DOCKER.status(POOL).instances == 2
    assert isinstance(DOCKER.scale(POOL, 3), Done)
    assert (runs(engine, "w9"), runs(engine, "w10")) == (True, False)
    DOCKER.scale(POOL, 1)
    assert [runs(engine, name) for name in ("w1", "w2", "w9", "w10")] == [True, False, False, False]
    outcome = DOCKER.scale(POOL, 5)
    assert isinstance(outcome, Failed)
    assert "docker compose up --scale" in outcome.message


def test_a_restart_of_a_compose_service_leaves_stopped_ones_alone(engine):
    DOCKER.restart(POOL)
    assert [runs(engine, name) for name in ("w1", "w2", "w9")] == [True, True, False]


def test_a_swarm_service_is_scaled_and_restarted_by_its_specification(engine):
    assert DOCKER.status(SWARM).instances == 4
    assert isinstance(DOCKER.scale(SWARM, 6), Done)
    assert DOCKER.status(SWARM).instances == 6
    assert isinstance(DOCKER.restart(SWARM), Done)
    assert engine.services["api"]["Spec"]["TaskTemplate"]["ForceUpdate"] == 1
    assert "no number" in DOCKER.scale({**SWARM, "name": "agent"}, 2).message


def test_what_is_not_there_is_unknown_with_the_engines_words(engine):
    assert DOCKER.status({**WEB, "name": "ghost"}).detail == "No such container: ghost"
    assert "No such container: ghost" in DOCKER.restart({**WEB, "name": "ghost"}).message
    assert "no container of the compose service ghost" in DOCKER.scale({**POOL, "name": "ghost"}, 1).message


def test_without_an_address_nothing_is_tried(settings):
    settings.DOCKER_HOST = ""
    assert "DOCKER_HOST" in DOCKER.status(WEB).detail
    assert isinstance(DOCKER.restart(WEB), NotConfigured)
    assert isinstance(DOCKER.scale(WEB, 1), NotConfigured)


def test_a_compose_service_needs_its_project():
    assert "project" in DOCKER.Parameters({"kind": "compose", "name": "web"}).errors
    assert "name" in DOCKER.Parameters({"kind": "container", "name": "../../images"}).errors
