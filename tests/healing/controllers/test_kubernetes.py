"""The controller of Kubernetes, against a stand-in that refuses what the API's reference does not name."""

import pytest

from config.acts.plugins.controllers import controllers
from config.kernel.flow.outcomes import Done, NotConfigured
from tests.support.engines import ApiServer, served

pytestmark = pytest.mark.pure
KUBERNETES = controllers.get("healing.kubernetes")
WEB = {"kind": "deployments", "namespace": "shop", "name": "web"}


@pytest.fixture
def cluster(settings, tmp_path):
    found = ApiServer("open-sesame")
    found.add("web", 3)
    (tmp_path / "token").write_text("open-sesame\n")
    with served(found) as address:
        settings.KUBERNETES_API_URL, settings.KUBERNETES_TOKEN_FILE = address, str(tmp_path / "token")
        yield found


def test_it_runs_when_all_are_ready_and_up_to_date(cluster):
    standing = KUBERNETES.status(WEB)
    assert (standing.state, standing.instances) == ("running", 3)


def test_a_restart_is_a_roll_out_that_is_under_way_until_it_is_settled(cluster):
    assert isinstance(KUBERNETES.restart(WEB), Done)
    marks = cluster.deployments["web"]["spec"]["template"]["metadata"]["annotations"]
    assert list(marks) == ["kubectl.kubernetes.io/restartedAt"]
    assert KUBERNETES.status(WEB).state == "starting"
    cluster.settle("web")
    assert KUBERNETES.status(WEB).state == "running"


def test_scaling_goes_by_the_scale_subresource(cluster):
    assert isinstance(KUBERNETES.scale(WEB, 5), Done)
    assert KUBERNETES.status(WEB).detail == "3 of 5 are ready, 3 are up to date."
    cluster.settle("web")
    assert KUBERNETES.status(WEB).instances == 5
    KUBERNETES.scale(WEB, 0)
    cluster.settle("web")
    assert KUBERNETES.status(WEB).state == "stopped"


def test_a_roll_out_that_is_stuck_is_failed_with_the_clusters_words(cluster):
    message = 'ReplicaSet "web-7" has timed out progressing.'
    cluster.deployments["web"]["status"] |= {
        "readyReplicas": 2,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message}],
    }
    standing = KUBERNETES.status(WEB)
    assert standing.state == "failed"
    assert message in standing.detail


def test_what_the_server_denies_is_said_in_its_words(cluster, settings, tmp_path):
    assert KUBERNETES.status({**WEB, "name": "ghost"}).detail == 'deployments.apps "ghost" not found'
    (tmp_path / "token").write_text("old")
    assert KUBERNETES.status(WEB).detail == "Unauthorized"
    assert "Unauthorized" in KUBERNETES.scale(WEB, 2).message
    settings.KUBERNETES_TOKEN_FILE = str(tmp_path / "none")
    assert "cannot be read" in KUBERNETES.restart(WEB).message


def test_without_an_address_nothing_is_tried(settings):
    settings.KUBERNETES_API_URL = ""
    assert "KUBERNETES_API_URL" in KUBERNETES.status(WEB).detail
    assert isinstance(KUBERNETES.restart(WEB), NotConfigured)
    assert isinstance(KUBERNETES.scale(WEB, 1), NotConfigured)
