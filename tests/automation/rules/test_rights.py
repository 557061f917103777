"""Whose rights count when a rule is changed, switched and run: those of the owner, of whoever asks, and of the token."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from automation.models import Rule
from automation.services import rules
from automation.services.running import orders
from config.acts.models import Invocation
from config.kernel.desk import tokens
from config.kernel.flow.errors import Forbidden, NotFound
from tests.support.acting.executor import work_off
from tests.support.api import OPERATOR, Caller
from tests.support.rules import NOTHING, make_rule

pytestmark = pytest.mark.django_db
BASE = "/api/v1/automation/rules"
GRAVE = [{"action": "acting.critical", "params": {}}]
EMIT = {"action": "automation.emit_event", "params": {"type": "system.status"}}


def with_token(*scopes: str) -> Caller:
    """An administrator whose token holds only these."""
    api = Caller()
    api.headers["Authorization"] = f"Bearer {tokens.create(api.user, name='few', scopes=list(scopes))[1]}"
    return api


def editor_without_critical() -> Caller:
    api = Caller(OPERATOR, name="op")
    api.user.user_permissions.add(Permission.objects.get(codename="rules:manage"))
    return api


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("patch", BASE + "/{id}", {"condition": "data.status == 'y'"}),
        ("post", BASE + "/{id}/mode", {"mode": "on"}),
        ("put", "/api/autonomous/automation/rules/{id}", {"enabled": True}),
        ("patch", "/api/v1/alerts/rules/{id}", {"cooldown_period": 0}),
    ],
)
def test_a_token_changes_no_rule_whose_actions_it_may_not_run(verb, path, body):
    rule = make_rule("Grave", owner=Caller().user, actions=GRAVE, mode="off", severity="high", cooldown_seconds=9)
    answer = getattr(with_token("rules:manage"), verb)(path.format(id=rule.uid), body)
    assert (answer.status_code, Rule.living.get().revision) == (403, 1)
    assert "actions:execute_critical" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("patch", BASE + "/{id}", {"mode": "off"}),
        ("post", BASE + "/{id}/mode", {"mode": "off"}),
        ("put", "/api/autonomous/automation/rules/{id}", {"enabled": False}),
        ("patch", "/api/v1/alerts/rules/{id}", {"enabled": False}),
    ],
)
def test_whoever_manages_rules_switches_any_off(verb, path, body):
    rule = make_rule("Grave", owner=Caller().user, actions=GRAVE, severity="high")
    assert getattr(with_token("rules:manage"), verb)(path.format(id=rule.uid), body).status_code == 200
    assert Rule.living.get().mode == "off"


def test_a_rule_is_switched_off_though_its_owner_is_gone_or_its_plug_ins_are():
    owner = User.objects.create(username="left", is_superuser=True)
    rule = make_rule("Left behind", owner=owner)
    User.objects.update(is_active=False)
    Rule.objects.update(trigger="gone.trigger")
    rules.set_mode(rules.find(rule.uid), "off", editor=Caller().user)
    assert Rule.living.get().mode == "off"
    with pytest.raises(Exception, match=r"gone\.trigger"):
        rules.set_mode(rules.find(rule.uid), "on")


def test_nobody_switches_on_for_the_system_what_they_may_not_run():
    rule = make_rule("Grave", actions=GRAVE, mode="off")
    with pytest.raises(Forbidden):
        rules.set_mode(rule, "on", editor=editor_without_critical().user)


def test_publishing_by_an_action_needs_the_right_to_publish():
    api = Caller(OPERATOR, name="op")
    assert api.post("/api/v1/automation/invocations", {"action": EMIT["action"], "parameters": EMIT["params"]}).status_code == 202
    few = with_token("actions:execute_standard")
    answer = few.post("/api/v1/automation/invocations", {"action": EMIT["action"], "parameters": EMIT["params"]})
    assert answer.status_code == 403
    assert "events:publish" in answer.json()["detail"]
    described = api.get(f"/api/v1/automation/actions/{EMIT['action']}").json()
    assert described["scopes"] == ["actions:execute_standard", "events:publish"]


def test_a_rule_that_publishes_stops_when_its_owner_may_publish_no_more():
    owner = User.objects.create(username="half")
    given = {name: Permission.objects.get(codename=name) for name in ("actions:execute_standard", "events:publish")}
    owner.user_permissions.add(*given.values())
    rule = make_rule("Says it", owner=owner, actions=[EMIT], trigger_params={"events": ["video.failed"]})
    owner.user_permissions.remove(given["events:publish"])
    fresh: Any = rules.find(rule.uid)
    assert "'events:publish'" in orders.lacking(fresh)


def test_a_call_that_waits_is_refused_when_its_owner_may_publish_no_more():
    api = Caller(OPERATOR, name="op")
    api.post("/api/v1/automation/invocations", {"action": EMIT["action"], "parameters": EMIT["params"]})
    api.user.groups.get().permissions.remove(Permission.objects.get(codename="events:publish"))
    work_off()
    row = Invocation.objects.get()
    assert (row.status, row.error_code) == ("refused", "owner_may_not")
    assert "lacks events:publish" in row.error_message


@pytest.mark.parametrize(("action", "heard"), [(EMIT, "system.status"), ({"action": "BATCH_PROCESS", "params": {}}, "batch.completed")])
def test_a_rule_that_publishes_what_wakes_it_is_a_loop(action, heard):
    body = {"name": "Echo", "trigger": "EVENT_DRIVEN", "trigger_params": {"events": [heard]}, "actions": [action], "mode": "on"}
    answer = Caller().post(BASE, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["actions"])
    assert f"'Echo' → {heard} → 'Echo'" in answer.json()["detail"]
    assert Caller().post(BASE, {**body, "mode": "shadow"}).status_code == 201


def test_a_loop_with_a_condition_is_warned_of_and_may_be_on():
    body = {"name": "Tell of it", "trigger": "EVENT_DRIVEN", "trigger_params": {"events": ["execution.failed"]}, "actions": [NOTHING]}
    assert Caller().post(BASE, {**body, "mode": "on"}).status_code == 400
    made = Caller().post(BASE, {**body, "mode": "on", "condition": "data.name == 'Backup'"})
    assert made.status_code == 201, made.content
    assert "wake itself" in Caller().get(f"{BASE}/{made.json()['id']}/warnings").json()["warnings"][0]


def test_a_change_that_comes_after_the_end_finds_nothing():
    rule = make_rule("Short-lived")
    late = rules.find(rule.uid)
    rules.delete(rule)
    with pytest.raises(NotFound, match="deleted meanwhile"):
        rules.set_mode(late, "off")
    with pytest.raises(NotFound):
        rules.give(late, owner=Caller().user)
