"""`/api/v1/automation/executions, start, stop, status, config, triggers, names, conditions/check` and who may call what."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.enums import AutomationTrigger
from automation.models import Execution
from automation.services import executions
from config.acts.plugins.triggers import triggers
from config.kernel.desk import options
from config.kernel.flow import clock
from tests.support.api import ADMIN, OPERATOR, VIEWER, Caller
from tests.support.rules import happen, make_rule, run, sample

pytestmark = pytest.mark.django_db
BASE = "/api/v1/automation"


# --- executions -----------------------------------------------------------------------------------


def test_an_execution_is_read_with_why_what_and_what_came_of_it():
    rule = make_rule(condition="data.status == 'x'")
    event = happen()
    run()
    api = Caller(VIEWER)
    [row] = api.get(f"{BASE}/executions").json()["results"]
    assert (row["rule_id"], row["event_id"], row["source"], row["status"], row["owner"]) == (
        rule.uid,
        event.uid,
        "event",
        "completed",
        "system",
    )
    found = api.get(f"{BASE}/executions/{row['id']}").json()
    assert found["parts"][0]["sentence"] == "data.status = x, needs == 'x' → true"
    assert found["actions"] == [{"action": "acting.noop", "params": {}}]
    assert [(call["action"], call["status"]) for call in found["invocations"]] == [("acting.noop", "completed")]
    assert api.get(f"{BASE}/executions/exe_none").status_code == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2),
        ({"status": "completed"}, 1),
        ({"source": "event"}, 2),
        ({"is_shadow": "true"}, 1),
        ({"rule": "Real"}, 1),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
        ({"until": "2999-01-01T00:00:00Z"}, 2),
    ],
)
def test_executions_are_filtered(query, count):
    make_rule("Real")
    make_rule("Shadow", mode="shadow")
    happen()
    run()
    assert Caller(VIEWER).get(f"{BASE}/executions", **query).json()["count"] == count


def test_the_list_of_executions_costs_as_many_statements_for_many_as_for_few():
    api, rule, costs = Caller(VIEWER), make_rule(mode="off"), []
    for count in (2, 20):
        for _ in range(Execution.objects.count(), count):
            executions.run_now(rule, user="system")
        api.get(f"{BASE}/executions")
        with CaptureQueriesContext(connection) as caught:
            api.get(f"{BASE}/executions")
        costs.append(len(caught))
    assert costs[0] == costs[1] <= 6


def test_an_execution_is_cancelled_by_who_may_run_its_actions():
    grave = executions.run_now(make_rule("Grave", mode="off", actions=[{"action": "acting.critical"}]), user="system")
    easy = executions.run_now(make_rule("Easy", mode="off"), user="system")
    operator = Caller(OPERATOR)
    assert operator.post(f"{BASE}/executions/{grave.uid}/cancel").status_code == 403
    cancelled = operator.post(f"{BASE}/executions/{easy.uid}/cancel", {"reason": "Not now."}).json()
    assert (cancelled["status"], cancelled["error_message"]) == ("cancelled", "Not now.")
    assert operator.post(f"{BASE}/executions/{easy.uid}/cancel").status_code == 409
    assert Caller(VIEWER).post(f"{BASE}/executions/{easy.uid}/cancel").status_code == 403


def test_the_same_idempotency_key_runs_a_rule_once():
    rule, api = make_rule(mode="off"), Caller(OPERATOR)
    first, second = (api.post(f"{BASE}/rules/{rule.uid}/execute", **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, first.json()["id"]) == (202, second.json()["id"])
    assert Execution.objects.count() == 1


def test_a_run_by_hand_goes_on_while_automation_is_stopped():
    options.set("AUTOMATION_RUNNING", False)
    rule = make_rule(mode="off")
    started = Caller(OPERATOR).post(f"{BASE}/rules/{rule.uid}/execute").json()
    run()
    assert Execution.objects.get(uid=started["id"]).status == "completed"


# --- switch and configuration ---------------------------------------------------------------------


def test_automation_is_stopped_started_and_looked_at():
    admin = Caller()
    assert admin.post(f"{BASE}/stop").json()["controller_status"] == "stopped"
    assert admin.post(f"{BASE}/start").json()["controller_status"] == "running"
    assert Caller(VIEWER).get(f"{BASE}/status").json() == {
        "controller_status": "running",
        "active_rules": 0,
        "success_rate": 0.0,
        "average_execution_time": 0.0,
    }
    assert Caller(OPERATOR).post(f"{BASE}/stop").status_code == 403


def test_the_configuration_is_read_changed_and_set_to_a_profile():
    admin = Caller()
    assert admin.get(f"{BASE}/config").json() == {
        "level": "intelligent",
        "max_concurrent_actions": 10,
        "retry_attempts": 3,
        "timeout_seconds": 300,
        "monitoring_interval": 30,
        "enable_predictive_scaling": True,
        "enable_ml_optimization": True,
    }
    assert admin.patch(f"{BASE}/config", {"monitoring_interval": 15}).json()["monitoring_interval"] == 15
    assert options.get("AUTOMATION_CHECK_INTERVAL") == 15
    refused = admin.patch(f"{BASE}/config", {"timeout_seconds": -1})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["timeout_seconds"])
    assert admin.post(f"{BASE}/config/profile", {"profile": "production"}).json() == {
        "level": "autonomous",
        "max_concurrent_actions": 50,
        "retry_attempts": 5,
        "timeout_seconds": 900,
        "monitoring_interval": 15,
        "enable_predictive_scaling": True,
        "enable_ml_optimization": True,
    }
    assert Caller(OPERATOR).patch(f"{BASE}/config", {"level": "manual"}).status_code == 403
    assert Caller(OPERATOR).post(f"{BASE}/config/profile", {"profile": "default"}).status_code == 403


# --- the catalogue --------------------------------------------------------------------------------


def test_every_trigger_is_listed_with_the_schema_of_its_parameters():
    found = {one["key"]: one for one in Caller(VIEWER).get(f"{BASE}/triggers").json()}
    assert set(found) == set(triggers.all())
    assert {one["name"] for one in found.values()} - {""} == set(AutomationTrigger.__members__)
    assert found["automation.queue"]["parameters"]["required"] == ["queue_threshold"]
    assert "schedule" in found["automation.schedule"]["parameters"]["properties"]


def test_every_name_is_listed_with_unit_and_meaning():
    found = {one["name"]: one for one in Caller(VIEWER).get(f"{BASE}/names").json()}
    assert (found["cpu_usage"]["kind"], found["cpu_usage"]["unit"]) == ("number", "%")
    assert all(one["about"] for one in found.values())


def test_a_condition_is_checked_before_it_is_used():
    api = Caller(VIEWER)
    sample(clock.now(), cpu_usage=91.0)
    good = api.post(f"{BASE}/conditions/check", {"condition": "cpu_usage > 80 AND duration > 5m"}).json()
    assert (good["is_valid"], good["names"], good["for_seconds"], good["truth"]) == (True, ["cpu_usage"], 300.0, True)
    assert good["parts"][0]["value"] == 91.0
    given = api.post(f"{BASE}/conditions/check", {"condition": "cpu_usage > 80", "values": {"cpu_usage": 1}}).json()
    assert given["truth"] is False
    bad = api.post(f"{BASE}/conditions/check", {"condition": "cpu_usge > 80"}).json()
    assert (bad["is_valid"], "cpu_usage" in bad["problem"]) == (False, True)


# --- who may --------------------------------------------------------------------------------------

ROUTES = {
    ("get", "rules"): VIEWER,
    ("post", "rules"): ADMIN,
    ("post", "rules/try"): ADMIN,
    ("post", "rules/backtest"): ADMIN,
    ("get", "rules/{rule}"): VIEWER,
    ("put", "rules/{rule}"): ADMIN,
    ("patch", "rules/{rule}"): ADMIN,
    ("post", "rules/{rule}/mode"): ADMIN,
    ("post", "rules/{rule}/execute"): OPERATOR,
    ("post", "rules/{rule}/try"): VIEWER,
    ("post", "rules/{rule}/backtest"): VIEWER,
    ("get", "rules/{rule}/verdicts"): VIEWER,
    ("get", "rules/{rule}/warnings"): VIEWER,
    ("get", "verdicts"): VIEWER,
    ("get", "executions"): VIEWER,
    ("post", "start"): ADMIN,
    ("post", "stop"): ADMIN,
    ("get", "status"): VIEWER,
    ("get", "config"): VIEWER,
    ("patch", "config"): ADMIN,
    ("post", "config/profile"): ADMIN,
    ("get", "triggers"): VIEWER,
    ("get", "names"): VIEWER,
    ("post", "conditions/check"): VIEWER,
    ("delete", "rules/{rule}"): ADMIN,
}
ORDER = [None, VIEWER, OPERATOR, ADMIN]


@pytest.mark.parametrize(("route", "least"), ROUTES.items(), ids=[f"{verb} {path}" for verb, path in ROUTES])
def test_each_route_asks_for_its_permission(route, least):
    verb, path = route
    address = f"{BASE}/{path.format(rule=make_rule().uid)}"
    answers = {role: getattr(Caller(role), verb)(address).status_code for role in ORDER}
    wanted = {role: 401 if role is None else 403 if ORDER.index(role) < ORDER.index(least) else None for role in ORDER}
    assert {role: status if status in (401, 403) else None for role, status in answers.items()} == wanted
