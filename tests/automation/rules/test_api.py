"""`/api/v1/automation/rules` and `/verdicts`: one call each, and what comes out."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from automation.models import Execution, Rule, Verdict
from automation.services import rules
from config.kernel.desk import options, tokens
from config.kernel.flow import jobs
from config.kernel.models import AuditRecord
from tests.support.api import OPERATOR, VIEWER, Caller
from tests.support.rules import happen, make_rule, sample

pytestmark = pytest.mark.django_db
BASE = "/api/v1/automation/rules"
NOOP = {"action": "acting.noop", "params": {}}
BODY: dict[str, Any] = {
    "name": "Busy",
    "trigger": "THRESHOLD_BASED",
    "trigger_params": {"cpu_threshold": 80},
    "actions": [NOOP],
    "cooldown_seconds": 600,
    "priority": "HIGH",
}


# --- made, read, changed, deleted ---------------------------------------------------------------


def test_a_rule_is_made_read_changed_and_deleted():
    api = Caller()
    made = api.post(BASE, BODY)
    assert made.status_code == 201, made.content
    rule = made.json()
    assert (rule["mode"], rule["trigger"], rule["priority"], rule["owner"]) == ("off", "automation.threshold", "high", api.user.username)
    assert rule["wakes"] == "cpu_usage > 80"
    assert api.get(f"{BASE}/{rule['id']}").json() == api.get(f"{BASE}/Busy").json() == rule
    changed = api.patch(f"{BASE}/{rule['id']}", {"cooldown_seconds": 60, "mode": "shadow"}).json()
    assert (changed["cooldown_seconds"], changed["mode"], changed["revision"]) == (60, "shadow", 2)
    assert api.delete(f"{BASE}/{rule['id']}").status_code == 204
    assert api.get(f"{BASE}/{rule['id']}").status_code == 404


def test_replacing_a_rule_puts_what_is_left_out_back_to_its_default():
    api = Caller()
    made = api.post(BASE, BODY).json()
    replaced = api.put(f"{BASE}/{made['id']}", {name: BODY[name] for name in ("name", "trigger", "trigger_params", "actions")}).json()
    assert (replaced["cooldown_seconds"], replaced["priority"]) == (0, "normal")


def test_a_rule_is_switched_by_one_word():
    api = Caller()
    made = api.post(BASE, BODY).json()
    assert api.post(f"{BASE}/{made['id']}/mode", {"mode": "on"}).json()["mode"] == "on"
    assert api.post(f"{BASE}/{made['id']}/mode", {"mode": "sideways"}).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": ""}, 400, "name"),
        ({"trigger": "automation.nothing"}, 400, "trigger"),
        ({"trigger_params": {"cpu_treshold": 80}}, 400, "trigger_params.cpu_treshold"),
        ({"condition": "cpu_usge > 80"}, 400, "condition"),
        ({"conditions": {"nothing_at_all": 1}}, 400, "conditions"),
        ({"actions": []}, 400, "actions"),
        ({"actions": [{"action": "automation.cleanup_cach"}]}, 400, "actions.0.action"),
        ({"actions": [{"action": "acting.echo", "params": {"tims": 2}}]}, 400, "actions.0.params.tims"),
        ({"actions": [NOOP] * 21}, 400, "actions"),
        ({"priority": "extreme"}, 400, "priority"),
        ({"trigger": "SCHEDULED", "trigger_params": {"schedule": "61 * * * *"}}, 400, "trigger_params.schedule"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(changes, status, field):
    answer = Caller().post(BASE, {**BODY, **changes})
    assert answer.status_code == status
    assert field in answer.json()["errors"], answer.json()


def test_an_unknown_action_is_answered_with_the_nearest():
    said = Caller().post(BASE, {**BODY, "actions": [{"action": "CLEANUP_CASH"}]}).json()["detail"]
    assert "CLEANUP_CACHE" in said


def test_a_name_is_taken_once():
    api = Caller()
    assert api.post(BASE, BODY).status_code == 201
    assert api.post(BASE, BODY).status_code == 409


def test_the_same_idempotency_key_makes_one_rule():
    api, key = Caller(), {"Idempotency-Key": "k"}
    assert api.post(BASE, BODY, **key).json() == api.post(BASE, BODY, **key).json()
    assert Rule.living.count() == 1


def test_too_many_rules_is_a_sentence_and_the_rest_goes_on():
    options.set("RULES_MAX", 1)
    api = Caller()
    assert api.post(BASE, BODY).status_code == 201
    full = api.post(BASE, {**BODY, "name": "Another"})
    assert (full.status_code, full.json()["type"]) == (429, "urn:steward:problem:too_many_rules")
    assert "RULES_MAX" in full.json()["detail"]
    assert api.get(BASE).json()["count"] == 1


def test_two_rules_may_run_at_the_same_times():
    for name in ("One", "Two"):
        make_rule(name, trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
    rows = PeriodicTask.objects.filter(name__startswith="rule ")
    assert [str(row.crontab) for row in rows] == [str(rows[0].crontab)] * 2


def test_too_many_fast_schedules_is_a_sentence():
    options.set("FAST_SCHEDULES_MAX", 1)
    api = Caller()
    every_minute = {**BODY, "trigger": "SCHEDULED", "trigger_params": {"schedule": "* * * * *"}, "mode": "on"}
    assert api.post(BASE, every_minute).status_code == 201
    full = api.post(BASE, {**every_minute, "name": "Another"})
    assert (full.status_code, full.json()["type"]) == (429, "urn:steward:problem:too_many_schedules")


# --- the list -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"mode": "on"}, ["Alarm", "Night"]),
        ({"trigger": "SCHEDULED"}, ["Night"]),
        ({"trigger": "automation.schedule"}, ["Night"]),
        ({"severity": "high"}, ["Alarm"]),
        ({"owner": "system"}, ["Alarm", "Night"]),
        ({"owner": "a-automation_admin"}, ["Busy"]),
        ({"q": "igh"}, ["Night"]),
        ({"q": "disk_usage"}, ["Alarm"]),
    ],
)
def test_the_list_is_filtered(query, expected):
    api = Caller()
    api.post(BASE, BODY)
    make_rule("Night", trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
    make_rule("Alarm", trigger="automation.threshold", condition="disk_usage > 90", severity="high", actions=[])
    assert [row["name"] for row in api.get(BASE, **query).json()["results"]] == expected


def test_the_list_says_when_each_runs_next_and_ran_last():
    rule = make_rule("Night", trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
    rules_api = Caller()
    [row] = rules_api.get(BASE).json()["results"]
    assert row["next_run_at"].endswith(":00:00.000Z")
    assert row["last_run_at"] is None
    rules_api.post(f"{BASE}/{rule.uid}/execute")
    assert rules_api.get(BASE).json()["results"][0]["last_run_at"] is not None


def test_a_list_costs_as_many_statements_for_thirty_as_for_three():
    api = Caller()
    costs = []
    for count in (3, 30):
        for number in range(Rule.living.count(), count):
            make_rule(f"Rule {number}", trigger="automation.schedule", trigger_params={"schedule": "0 2 * * *"})
        api.get(BASE)
        with CaptureQueriesContext(connection) as caught:
            assert len(api.get(BASE).json()["results"]) == count
        costs.append(len(caught))
    assert costs[0] == costs[1] <= 8


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [VIEWER, OPERATOR])
def test_who_may_not_manage_rules_changes_nothing(role):
    rule, api = make_rule("Mine"), Caller(role)
    assert api.post(BASE, BODY).status_code == 403
    assert api.put(f"{BASE}/{rule.uid}", BODY).status_code == 403
    assert api.patch(f"{BASE}/{rule.uid}", {"mode": "off"}).status_code == 403
    assert api.post(f"{BASE}/{rule.uid}/mode", {"mode": "off"}).status_code == 403
    assert api.delete(f"{BASE}/{rule.uid}").status_code == 403
    assert api.get(BASE).status_code == 200
    assert Rule.living.get().mode == "on"


def test_a_rule_may_do_no_more_than_its_owner(django_user_model):
    from config.kernel.desk import permissions

    owner = Caller(OPERATOR, name="op")
    permission = Caller().user.groups.first().permissions.get(codename="rules:manage")
    owner.user.user_permissions.add(permission)
    assert permissions.may(django_user_model.objects.get(username="op"), "rules:manage")
    refused = owner.post(BASE, {**BODY, "actions": [{"action": "acting.critical"}]})
    assert refused.status_code == 403
    assert "actions:execute_critical" in refused.json()["detail"]
    assert owner.post(BASE, BODY).status_code == 201


def test_nobody_has_by_anothers_rule_done_what_they_may_not(django_user_model):
    rule = make_rule("Theirs", owner=Caller().user)
    editor = Caller(OPERATOR, name="op")
    editor.user.user_permissions.add(Caller().user.groups.first().permissions.get(codename="rules:manage"))
    answer = editor.patch(f"{BASE}/{rule.uid}", {"actions": [{"action": "acting.critical"}]})
    assert answer.status_code == 403
    assert Rule.living.get().steps[0]["action"] == "acting.noop"


def test_a_token_with_less_than_its_owner_makes_no_critical_rule():
    api = Caller()
    api.headers["Authorization"] = f"Bearer {tokens.create(api.user, name='few', scopes=['rules:manage', 'workflows:execute'])[1]}"
    assert api.post(BASE, {**BODY, "actions": [{"action": "acting.critical"}]}).status_code == 403
    rule = make_rule("Grave", actions=[{"action": "acting.critical", "params": {}}])
    assert api.post(f"{BASE}/{rule.uid}/execute").status_code == 403
    assert not Execution.objects.exists()


# --- secrets --------------------------------------------------------------------------------------


def secret_body(**changes: Any) -> dict[str, Any]:
    step = {"action": "acting.echo", "params": {"text": "hi", "secret": "hunter2", "value": {"password": "hunter2", "n": 1}}}
    return {**BODY, "actions": [step], **changes}


def test_secrets_are_masked_and_stay_when_they_come_back_masked():
    api = Caller()
    made = api.post(BASE, secret_body()).json()
    params = made["actions"][0]["params"]
    assert (params["secret"], params["value"]["password"]) == ("********", "********")
    assert "hunter2" not in str(api.get(BASE).json())
    assert api.put(f"{BASE}/{made['id']}", {**secret_body(), "actions": made["actions"]}).status_code == 200
    stored = Rule.living.get().steps[0]["params"]
    assert (stored["secret"], stored["value"]) == ("hunter2", {"password": "hunter2", "n": 1})
    changed = [{"action": "acting.echo", "params": {**params, "text": "ho", "value": {"password": "********", "n": 2}}}]
    assert api.patch(f"{BASE}/{made['id']}", {"actions": [NOOP, *changed]}).status_code == 200
    stored = Rule.living.get().steps[1]["params"]
    assert (stored["text"], stored["secret"], stored["value"]) == ("ho", "hunter2", {"password": "hunter2", "n": 2})


def test_a_mask_that_hides_nothing_is_refused():
    body = secret_body(actions=[{"action": "acting.echo", "params": {"secret": "********"}}])
    answer = Caller().post(BASE, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["actions.0.params.secret"])


def test_no_row_of_the_database_holds_a_secret():
    api = Caller()
    made = api.post(BASE, secret_body(trigger="automation.event", trigger_params={"events": ["system.status"]}, mode="on")).json()
    api.patch(f"{BASE}/{made['id']}", {"about": "Changed."})
    happen()
    jobs.work("automation.advance")
    assert Execution.objects.filter(status="running").exists()
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            assert "hunter2" not in str(cursor.fetchall()), table
    assert "hunter2" not in str(api.get("/api/v1/automation/executions").json())
    [execution] = Execution.objects.all()
    assert "hunter2" not in str(api.get(f"/api/v1/automation/executions/{execution.uid}").json())
    assert "hunter2" not in str(api.get("/api/autonomous/automation/executions").json())


# --- tried, back-tested, warned of ----------------------------------------------------------------


def test_a_rule_is_tried_on_a_past_event_on_values_and_on_the_present():
    api = Caller(VIEWER)
    event = happen()
    rule = make_rule(condition="data.status == 'x'")
    tried = api.post(f"{BASE}/{rule.uid}/try", {"event": event.uid}).json()
    assert (tried["result"], tried["parts"][0]["truth"], tried["actions"][0]["action"]) == ("fired", True, "acting.noop")
    busy = make_rule("Busy", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    assert api.post(f"{BASE}/{busy.uid}/try", {"values": {"cpu_usage": 72.4}}).json()["text"] == "cpu_usage = 72.4 %, needs > 80 → false."
    assert api.post(f"{BASE}/{busy.uid}/try", {}).json()["result"] == "unknown"
    assert api.post(f"{BASE}/{busy.uid}/try", {"event": "evt_none"}).status_code == 404
    assert api.post(f"{BASE}/{busy.uid}/try", {"event": event.uid, "values": {}}).status_code == 400
    assert not Execution.objects.exists()


def test_a_draft_is_tried_and_not_stored():
    tried = Caller().post(f"{BASE}/try", {"rule": BODY, "values": {"cpu_usage": 91}}).json()
    assert (tried["result"], tried["problem"]) == ("fired", "")
    assert not Rule.objects.exists()
    assert Caller(VIEWER).post(f"{BASE}/try", {"rule": BODY}).status_code == 403
    assert Caller().post(f"{BASE}/try", {"rule": {**BODY, "condition": "no_such > 1"}}).status_code == 400


def test_a_back_test_says_when_it_would_have_fired():
    from datetime import timedelta

    from config.kernel.flow import clock

    start = clock.now() - timedelta(minutes=10)
    for number in range(10):
        sample(start + timedelta(seconds=30 * number), cpu_usage=90 if number >= 5 else 50)
    rule = make_rule("Busy", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    api = Caller(VIEWER)
    tested = api.post(f"{BASE}/{rule.uid}/backtest", {"since": start.isoformat()}).json()
    assert (tested["is_complete"], tested["judged"], tested["fired"]) == (True, 10, 1)
    assert "cpu_usage = 90" in tested["firings"][0]["text"]
    draft = Caller().post(f"{BASE}/backtest", {"rule": {**BODY, "trigger_params": {"cpu_threshold": 40}, "cooldown_seconds": 60}}).json()
    assert (draft["fired"], Rule.living.count()) == (5, 1)
    assert api.post(f"{BASE}/{rule.uid}/backtest", {"since": "2020-01-01T00:00:00Z"}).status_code == 400
    assert api.post(f"{BASE}/{rule.uid}/backtest", {"until": "0001-01-02T00:00:00Z"}).json()["errors"].keys() == {"until"}
    assert api.post(f"{BASE}/{rule.uid}/backtest", {"since": "9999-12-31T23:30:00Z", "until": "9999-12-31T23:59:00Z"}).status_code == 400


def test_a_back_test_that_is_not_done_in_time_says_how_far_it_came(monkeypatch):
    from automation.api import trials

    monkeypatch.setattr(trials, "BUDGET_SECONDS", 0)
    rule = make_rule("Often", trigger="automation.schedule", trigger_params={"every_seconds": 1}, mode="shadow")
    tested = Caller().post(f"{BASE}/{rule.uid}/backtest", {}).json()
    assert (tested["is_complete"], tested["judged"]) == (False, 3600)
    assert tested["since"] < tested["covered_until"] < tested["until"]


def test_what_speaks_against_switching_it_on_is_told():
    rule = make_rule(mode="shadow", trigger_params={"events": ["execution.completed"]})
    assert "wake itself" in Caller(VIEWER).get(f"{BASE}/{rule.uid}/warnings").json()["warnings"][0]


# --- verdicts -------------------------------------------------------------------------------------


def test_verdicts_are_searched():
    make_rule("Right", condition="data.status == 'x'")
    wrong = make_rule("Wrong", condition="data.status == 'y'")
    event = happen()
    api = Caller(VIEWER)
    assert api.get("/api/v1/automation/verdicts").json()["count"] == 2
    [row] = api.get("/api/v1/automation/verdicts", result="fired", rule="Right").json()["results"]
    assert (row["event_id"], row["execution_id"], row["reason"]) == (event.uid, Execution.objects.get().uid, "met")
    [row] = api.get(f"{BASE}/{wrong.uid}/verdicts").json()["results"]
    assert row["text"] == "data.status = x, needs == 'y' → false."
    assert row["parts"][0]["value"] == "x"
    assert api.get("/api/v1/automation/verdicts", event=event.uid, reason="not_met").json()["count"] == 1
    assert api.get("/api/v1/automation/verdicts", since="2999-01-01T00:00:00Z").json()["count"] == 0
    assert api.get("/api/v1/automation/verdicts", since="yesterday").status_code == 400


def test_the_list_of_verdicts_costs_as_many_statements_for_many_as_for_few():
    api, costs = Caller(VIEWER), []
    for count in (2, 20):
        for number in range(Rule.living.count(), count):
            make_rule(f"Rule {number}")
        happen()
        api.get("/api/v1/automation/verdicts")
        with CaptureQueriesContext(connection) as caught:
            api.get("/api/v1/automation/verdicts")
        costs.append(len(caught))
    assert Verdict.objects.count() >= 20
    assert costs[0] == costs[1] <= 6


# --- on record ------------------------------------------------------------------------------------


def test_every_change_is_on_record_with_its_actor():
    api = Caller()
    made = api.post(BASE, BODY).json()
    api.patch(f"{BASE}/{made['id']}", {"cooldown_seconds": 1})
    api.post(f"{BASE}/{made['id']}/execute")
    api.post("/api/v1/automation/stop")
    api.post("/api/v1/automation/start")
    api.delete(f"{BASE}/{made['id']}")
    wanted = ["rule.created", "rule.changed", "rule.executed", "automation.stopped", "automation.started", "rule.deleted"]
    found = AuditRecord.objects.filter(action__in=wanted).order_by("id")
    assert [(row.action, row.actor) for row in found] == [(name, api.user.username) for name in wanted]


def test_a_rule_of_the_system_becomes_its_editors():
    rule = rules.create(owner=None, name="Shipped", trigger="automation.event", actions=[NOOP])
    api = Caller()
    assert api.patch(f"{BASE}/{rule.uid}", {"cooldown_seconds": 5}).json()["owner"] == api.user.username
