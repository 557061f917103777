"""The API of services: who may, what is answered, and that a restart is a call like any other."""

import pytest

from config.acts.models import Invocation
from config.kernel.desk import tokens
from healing.services import services
from tests.support.api import ADMIN, OPERATOR, VIEWER, Caller
from tests.support.steered import KEY, watched

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pretend")]
BASE = "/api/v1/healing/services"
GIVEN = {"name": "web", "controller": KEY, "params": {"place": "here", "password": "open sesame"}, "may_be_restarted": True}


def test_a_service_is_made_read_changed_and_let_go():
    admin = Caller(ADMIN)
    made = admin.post(BASE, {**GIVEN, "max_instances": 3}).json()
    assert made["id"].startswith("svc_")
    assert made["params"] == {"place": "here", "password": "********"}
    assert (made["status"], made["may_be_restarted"], made["may_be_scaled"]) == ("unknown", True, False)
    assert admin.get(f"{BASE}/{made['id']}").json()["name"] == "web"
    changed = admin.patch(f"{BASE}/web", {"params": {"place": "there", "password": "********"}, "description": "The shop"}).json()
    assert (changed["description"], changed["params"]["place"]) == ("The shop", "there")
    assert services.find("web").params["password"] == "open sesame"
    assert admin.delete(f"{BASE}/web").status_code == 204
    assert admin.get(f"{BASE}/web").status_code == 404


def test_what_is_wrong_is_named():
    answer = Caller(ADMIN).post(BASE, {**GIVEN, "params": {"colour": "red"}})
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"params.colour"}
    assert set(Caller(ADMIN).post(BASE, {**GIVEN, "params": {}}).json()["errors"]) == {"params.place"}
    watched()
    assert Caller(ADMIN).post(BASE, GIVEN).status_code == 409


def test_the_list_is_filtered():
    watched("one")
    watched("two")
    Caller(OPERATOR).post(f"{BASE}/one/status")
    found = Caller(VIEWER).get(BASE, status="running").json()["results"]
    assert [one["name"] for one in found] == ["one"]
    assert Caller(VIEWER).get(BASE, name="tw").json()["count"] == 1


@pytest.mark.parametrize(
    ("verb", "path", "role", "status"),
    [
        ("get", "", None, 401),
        ("get", "", VIEWER, 200),
        ("post", "", OPERATOR, 403),
        ("delete", "/web", OPERATOR, 403),
        ("patch", "/web", OPERATOR, 403),
        ("get", "/web/status", VIEWER, 200),
        ("post", "/web/status", VIEWER, 403),
        ("post", "/web/restart", VIEWER, 403),
        ("post", "/web/scale", VIEWER, 403),
        ("post", "/web/status", OPERATOR, 200),
        ("post", "/web/restart", OPERATOR, 202),
    ],
)
def test_who_may(verb, path, role, status):
    watched()
    assert getattr(Caller(role), verb)(BASE + path).status_code == status


def test_looking_answers_what_was_seen():
    watched()
    answer = Caller(OPERATOR).post(f"{BASE}/web/status").json()
    assert (answer["status"], answer["instances"], answer["pids"]) == ("running", 1, [100])
    assert Caller(VIEWER).get(f"{BASE}/web/status").json() == answer


def test_a_restart_is_a_call_of_the_action_under_the_callers_name():
    service, caller = watched(), Caller(OPERATOR)
    answer = caller.post(f"{BASE}/{service.uid}/restart").json()
    row = Invocation.objects.get(uid=answer["id"])
    assert (row.action, row.owner, row.caller, row.target) == ("healing.restart_service", caller.user.username, "api", "service:web")
    assert answer["status"] == "pending"


def test_scaling_is_a_call_too_and_wants_one_of_two():
    watched()
    answer = Caller(OPERATOR).post(f"{BASE}/web/scale", {"scale_factor": 1.5})
    assert answer.status_code == 202
    assert Invocation.objects.get().params["scale_factor"] == 1.5
    assert Caller(OPERATOR).post(f"{BASE}/web/scale", {}).status_code == 400
    assert Caller(OPERATOR).post(f"{BASE}/web/scale", {"scale_factor": 2, "instances": 2}).status_code == 400


def test_the_same_idempotency_key_asks_once():
    watched()
    caller = Caller(OPERATOR)
    first, second = (caller.post(f"{BASE}/web/restart", None, **{"Idempotency-Key": "once"}).json() for _ in range(2))
    assert first == second
    assert Invocation.objects.count() == 1


@pytest.mark.parametrize(("path", "body"), [("/web/restart", None), ("/web/scale", {"instances": 2})])
def test_a_token_asks_for_nothing_that_it_may_not_run(path, body):
    watched()
    caller = Caller(OPERATOR)
    caller.headers["Authorization"] = f"Bearer {tokens.create(caller.user, name='few', scopes=['healing:execute'])[1]}"
    answer = caller.post(BASE + path, body)
    assert (answer.status_code, Invocation.objects.count()) == (403, 0)
    assert "actions:execute_standard" in answer.json()["detail"]
