"""The routes that the requirements print: the examples posted exactly as they are written, and the shapes of the answers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from automation.models import Execution, Rule
from automation.services import executions
from config.kernel.flow import clock, jobs
from tests.support.acting.executor import work_off
from tests.support.api import OPERATOR, VIEWER, Caller
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db
BASE = "/api/autonomous/automation"
RULES = f"{BASE}/rules"
# As the requirements print them.
EXAMPLES: list[dict[str, Any]] = [
    {
        "name": "Daily Cleanup",
        "trigger": "SCHEDULED",
        "action": "CLEANUP_CACHE",
        "parameters": {"schedule": "0 2 * * *", "max_age_hours": 24},
    },
    {
        "name": "Queue Monitor",
        "trigger": "QUEUE_BASED",
        "action": "BATCH_PROCESS",
        "parameters": {"queue_threshold": 10, "batch_size": 5},
        "conditions": {"min_queue_age_minutes": 10},
    },
    {
        "name": "Performance Monitor",
        "trigger": "THRESHOLD_BASED",
        "action": "OPTIMIZE_PERFORMANCE",
        "parameters": {"cpu_threshold": 80, "memory_threshold": 85, "response_time_threshold": 5.0},
    },
    {
        "name": "Auto Scaling",
        "trigger": "USER_ACTIVITY",
        "action": "SCALE_RESOURCES",
        "parameters": {"activity_threshold": 5, "scale_factor": 1.5},
    },
    {
        "name": "Error Recovery",
        "trigger": "EVENT_DRIVEN",
        "action": "OPTIMIZE_PERFORMANCE",
        "parameters": {"recovery_actions": ["restart_services", "clear_error_queues", "reset_connections"]},
    },
]
ALERT: dict[str, Any] = {
    "name": "high_cpu_usage",
    "condition": "cpu_usage > 80 AND duration > 5m",
    "severity": "AlertSeverity.HIGH",
    "actions": [
        {
            "type": "scale_infrastructure",
            "parameters": {"service_name": "recommendation-engine", "scale_factor": 1.5, "max_instances": 20},
        },
        {"type": "notify_slack", "parameters": {"channel": "#ops-alerts", "message": "Auto-scaling triggered for high CPU usage"}},
    ],
    "cooldown_period": 600,
}


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", EXAMPLES, ids=[one["name"] for one in EXAMPLES])
def test_an_example_is_taken_as_printed_and_read_back(body):
    api = Caller()
    made = api.post(RULES, body)
    assert made.status_code == 201, made.content
    rule = made.json()
    assert (rule["name"], rule["trigger"], rule["action"]) == (body["name"], body["trigger"], body["action"])
    assert (rule["enabled"], rule["priority"], rule["last_run"], rule["rule_id"]) == (True, "normal", None, rule["id"])
    assert rule["conditions"] == body.get("conditions", {})
    assert {name: rule["parameters"][name] for name in body["parameters"]} == body["parameters"]
    assert api.get(f"{RULES}/{rule['id']}").json() == rule
    again = api.put(f"{RULES}/{rule['id']}", {**body, "parameters": rule["parameters"]})
    assert again.json()["parameters"] == rule["parameters"]


def test_all_five_are_listed_with_their_next_run():
    api = Caller()
    for body in EXAMPLES:
        api.post(RULES, body)
    rows = api.get(RULES).json()["results"]
    assert [row["name"] for row in rows] == sorted(one["name"] for one in EXAMPLES)
    assert [row["name"] for row in rows if row["next_run"]] == ["Daily Cleanup"]


@pytest.mark.parametrize("word", ["scheduled", "Scheduled", " SCHEDULED "])
def test_names_are_taken_in_upper_and_lower_case(word):
    assert Caller().post(RULES, {**EXAMPLES[0], "trigger": word, "action": "cleanup_cache"}).json()["trigger"] == "SCHEDULED"


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"trigger": "MANUAL"}, "trigger", "MANUAL"),
        ({"action": "CLEANUP_CASH"}, "action", "CLEANUP_CACHE"),
        ({"parameters": {"schedule": "61 * * * *"}}, "parameters.schedule", "61"),
        ({"parameters": {"schedule": "0 2 * * *", "max_age_hour": 1}}, "parameters.max_age_hour", "max_age_hours"),
        ({"conditions": {"min_queue_age_minute": 10}}, "conditions", "min_queue_age_minutes"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field_and_the_nearest(changes, field, said):
    answer = Caller().post(RULES, {**EXAMPLES[0], **changes})
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
    assert said in str(answer.json()["errors"])


def test_the_document_shows_exactly_five_triggers():
    schema = json.loads(Caller().get("/api/schema").content)["components"]["schemas"]
    trigger = schema["AutonomousRuleInRequest"]["properties"]["trigger"]
    named = trigger.get("$ref") or trigger["allOf"][0]["$ref"]
    assert schema[named.rpartition("/")[2]]["enum"] == ["SCHEDULED", "QUEUE_BASED", "THRESHOLD_BASED", "EVENT_DRIVEN", "USER_ACTIVITY"]


def test_a_parameter_that_both_know_goes_to_both():
    body = {**EXAMPLES[1], "parameters": {"queue_threshold": 10, "queue": "default", "batch_size": 5}}
    Caller().post(RULES, body)
    rule = Rule.living.get()
    assert (rule.trigger_params["queue"], rule.steps[0]["params"]["queue"]) == ("default", "default")


def test_changing_the_cron_changes_its_schedule_and_deleting_removes_it():
    api = Caller()
    made = api.post(RULES, EXAMPLES[0]).json()
    name = f"rule {made['id']}"
    assert str(PeriodicTask.objects.get(name=name).crontab.hour) == "2"
    changed = api.put(f"{RULES}/{made['id']}", {"parameters": {"schedule": "30 4 * * *", "max_age_hours": 48}})
    assert changed.status_code == 200, changed.content
    row = PeriodicTask.objects.get(name=name)
    assert (str(row.crontab.hour), str(row.crontab.minute)) == ("4", "30")
    assert Rule.living.get().steps[0]["params"]["max_age_hours"] == 48
    api.post(f"{RULES}/{made['id']}/execute")
    assert api.delete(f"{RULES}/{made['id']}").status_code == 204
    assert not PeriodicTask.objects.filter(name=name).exists()
    assert api.get(f"{RULES}/{made['id']}").status_code == 404
    assert [row["rule_id"] for row in api.get(f"{BASE}/executions").json()["results"]] == [made["id"]]


def test_a_rule_is_switched_off_here_too_and_one_with_several_actions_is_changed_elsewhere():
    api = Caller()
    made = api.post(RULES, EXAMPLES[0]).json()
    assert api.put(f"{RULES}/{made['id']}", {"enabled": False, "priority": "high"}).json()["enabled"] is False
    noop = {"action": "acting.noop", "params": {}}
    several = make_rule("Several", actions=[noop, noop])
    assert api.put(f"{RULES}/{several.uid}", {"parameters": {}}).status_code == 409
    assert api.put(f"{RULES}/{several.uid}", {"enabled": False}).json()["mode"] == "off"


@pytest.mark.parametrize("role", [VIEWER, OPERATOR])
def test_who_may_not_manage_rules_changes_nothing(role):
    rule, api = make_rule("Mine"), Caller(role)
    assert api.post(RULES, EXAMPLES[0]).status_code == 403
    assert api.put(f"{RULES}/{rule.uid}", EXAMPLES[0]).status_code == 403
    assert api.delete(f"{RULES}/{rule.uid}").status_code == 403
    assert api.post(f"{BASE}/start").status_code == 403
    assert api.post(f"{BASE}/stop").status_code == 403
    assert api.get(RULES).status_code == 200


# --- executions and status ------------------------------------------------------------------------


def test_run_by_hand_it_answers_with_the_execution_and_names_the_user():
    rule, api = make_rule(mode="off"), Caller(OPERATOR)
    answer = api.post(f"{RULES}/{rule.uid}/execute")
    assert answer.status_code == 202
    execution = Execution.objects.get(uid=answer.json()["execution_id"])
    assert (execution.source, execution.actor) == ("manual", api.user.username)
    assert Caller(VIEWER).post(f"{RULES}/{rule.uid}/execute").status_code == 403
    assert api.post(f"{RULES}/nobody/execute").status_code == 404


def test_the_history_is_newest_first_with_what_went_in_and_came_out():
    api = Caller()
    good, bad = make_rule("Good", mode="off"), make_rule("Bad", mode="off", actions=[{"action": "acting.fail", "params": {}}])
    for rule in (good, bad, good):
        api.post(f"{RULES}/{rule.uid}/execute")
    for _ in range(3):
        jobs.work("automation.advance")
        work_off()
    jobs.work("automation.advance")
    rows = api.get(f"{BASE}/executions").json()["results"]
    assert [(row["rule_id"], row["status"]) for row in rows] == [
        (good.uid, "completed"),
        (bad.uid, "failed"),
        (good.uid, "completed"),
    ]
    assert rows[0]["inputs"] == [{"action": "acting.noop", "params": {}}]
    assert len(rows[0]["outputs"]) == 1
    assert (rows[0]["error_message"], rows[1]["error_message"] != "") == ("", True)
    assert len(api.get(f"{BASE}/executions", limit=2).json()["results"]) == 2


def test_the_history_costs_as_many_statements_for_many_as_for_few():
    api, rule, costs = Caller(), make_rule(mode="off"), []
    for count in (2, 20):
        for _ in range(Execution.objects.count(), count):
            executions.run_now(rule, user="system")
        api.get(f"{BASE}/executions")
        with CaptureQueriesContext(connection) as caught:
            api.get(f"{BASE}/executions")
        costs.append(len(caught))
    assert costs[0] == costs[1] <= 7


def test_it_is_stopped_and_started_and_twice_is_as_good_as_once():
    api = Caller()
    assert api.post(f"{BASE}/stop").json()["controller_status"] == "stopped"
    assert api.post(f"{BASE}/stop").json()["controller_status"] == "stopped"
    assert Caller(VIEWER).get(f"{BASE}/status").json()["controller_status"] == "stopped"
    assert api.post(f"{BASE}/start").json()["controller_status"] == "running"


def test_while_stopped_nothing_fires_by_itself_and_a_person_still_may():
    api, rule = Caller(), make_rule("Busy", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    start = clock.now() - timedelta(seconds=60)
    sample(start, cpu_usage=10)
    jobs.work("automation.samples")
    api.post(f"{BASE}/stop")
    for number in (1, 2):
        sample(start + timedelta(seconds=number), cpu_usage=90)
        jobs.work("automation.samples")
    assert not Execution.objects.exclude(status="skipped").exists()
    api.post(f"{RULES}/{rule.uid}/execute")
    jobs.work("automation.advance")
    assert Execution.objects.filter(status="running", source="manual").count() == 1


# --- alert rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["AlertSeverity.HIGH", "HIGH", "high"])
def test_the_alert_rule_is_taken_as_printed(word):
    api = Caller()
    made = api.post("/api/v1/alerts/rules", {**ALERT, "severity": word})
    assert made.status_code == 201, made.content
    rule = made.json()
    assert (rule["severity"], rule["condition"], rule["cooldown_period"], rule["enabled"]) == ("high", ALERT["condition"], 600, True)
    assert [one["type"] for one in rule["actions"]] == ["scale_infrastructure", "notify_slack"]
    assert rule["actions"][0]["parameters"]["max_instances"] == 20
    stored = Rule.living.get()
    assert (stored.trigger, stored.cooldown_seconds, stored.mode) == ("automation.threshold", 600, "on")
    assert api.get(f"/api/v1/automation/rules/{rule['id']}").json()["severity"] == "high"


def test_alert_rules_are_listed_changed_and_deleted():
    api = Caller()
    made = api.post("/api/v1/alerts/rules", ALERT).json()
    other = make_rule("No alert")
    assert [row["name"] for row in Caller(VIEWER).get("/api/v1/alerts/rules").json()["results"]] == ["high_cpu_usage"]
    assert api.patch(f"/api/v1/alerts/rules/{made['id']}", {"severity": "CRITICAL", "enabled": False}).json()["severity"] == "critical"
    assert Rule.living.get(uid=made["id"]).mode == "off"
    assert api.get(f"/api/v1/alerts/rules/{other.uid}").status_code == 404
    assert api.get("/api/v1/alerts/rules/high_cpu_usage").json()["id"] == made["id"]
    assert api.delete(f"/api/v1/alerts/rules/{made['id']}").status_code == 204
    assert Caller(OPERATOR).post("/api/v1/alerts/rules", ALERT).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"severity": "loud"}, "severity"), ({"condition": "cpu > 80"}, "condition"), ({"cooldown_period": -1}, "cooldown_period")],
)
def test_an_alert_rule_that_cannot_be_is_refused_with_the_field(changes, field):
    answer = Caller().post("/api/v1/alerts/rules", {**ALERT, **changes})
    assert (answer.status_code, field in answer.json()["errors"]) == (400, True)


def test_an_alert_rule_without_actions_only_raises_its_alert():
    body = {name: value for name, value in ALERT.items() if name != "actions"}
    assert Caller().post("/api/v1/alerts/rules", body).json()["actions"] == []


# --- as printed, without a slash and a detour -----------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("post", f"{BASE}/start"),
        ("post", f"{BASE}/stop"),
        ("get", f"{BASE}/status"),
        ("get", RULES),
        ("get", f"{BASE}/executions"),
        ("get", "/api/v1/alerts/rules"),
    ],
)
def test_each_route_is_there_and_wants_a_token(verb, path):
    assert getattr(Caller(), verb)(path).status_code == 200
    assert getattr(Caller(None), verb)(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (RULES, {**EXAMPLES[0], "parameters": {"schedule": "61 * * * *"}}, "parameters.schedule"),
        (RULES, {**EXAMPLES[0], "parameters": {"schedule": "0 2 * * *", "max_age_hours": "old"}}, "parameters.max_age_hours"),
        ("/api/v1/alerts/rules", {**ALERT, "actions": [{"type": "notify_slack"}]}, "actions.0.parameters.channel"),
        ("/api/v1/alerts/rules", {**ALERT, "actions": [{"type": "acting.nothing"}]}, "actions.0.type"),
    ],
)
def test_a_field_that_is_refused_is_named_as_it_was_sent(path, body, field):
    answer = Caller().post(path, body)
    assert (answer.status_code, next(iter(answer.json()["errors"]))) == (400, field)
