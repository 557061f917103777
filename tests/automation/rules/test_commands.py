"""`manage.py rules`, `executions` and `automation`: each deed once, as text and as JSON."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from automation.models import Execution, Rule
from config.acts import tasks
from config.kernel.desk import options
from config.kernel.flow import clock, events, jobs
from tests.support.acting.executor import work_off
from tests.support.api import OPERATOR, Caller
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_this_thread(monkeypatch):
    """Actions run in the test's own thread."""
    monkeypatch.setattr(tasks.Invoke, "work", lambda self, now, limit: work_off() and 0)


def said(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def read(*words: str) -> Any:
    return json.loads(said(*words, "--json"))


CREATE = ["rules", "create", "Night", "--trigger", "SCHEDULED", "--trigger-params", '{"schedule": "0 2 * * *"}', "--actions"]


def test_a_rule_is_made_shown_changed_listed_and_deleted():
    made = read(*CREATE, '[{"action": "acting.echo", "params": {"secret": "hunter2"}}]', "--mode", "on", "--priority", "high")
    assert (made["mode"], made["priority"], made["owner"]) == ("on", "high", "system")
    assert made["actions"][0]["params"]["secret"] == "********"
    assert "hunter2" not in said("rules", "show", "Night")
    changed = read("rules", "set", "Night", "--name", "Nightly", "--cooldown-seconds", "60", "--deferrable")
    assert (changed["name"], changed["cooldown_seconds"], changed["is_deferrable"], changed["mode"]) == ("Nightly", 60, True, "on")
    assert Rule.living.get().steps[0]["params"]["secret"] == "hunter2"
    assert "Nightly" in said("rules", "list", "--mode", "on", "--trigger", "scheduled")
    assert said("rules", "list", "--mode", "off").strip() == "None."
    assert read("rules", "delete", "Nightly")["deleted"] is True
    with pytest.raises(CommandError, match="There is no rule 'Nightly'"):
        said("rules", "show", "Nightly")


def test_a_rule_is_made_for_an_owner_who_must_be_there_and_may():
    Caller(OPERATOR, name="op")
    assert read(*CREATE, '[{"action": "acting.noop"}]', "--owner", "op")["owner"] == "op"
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        said(*CREATE, '[{"action": "acting.noop"}]', "--owner", "nobody")
    with pytest.raises(CommandError, match="execute_critical"):
        said(*CREATE, '[{"action": "acting.critical"}]', "--owner", "op")


@pytest.mark.parametrize("words", [["--actions", "{}"], ["--actions", "nothing"], ["--priority", "extreme"], ["--trigger-params", "[]"]])
def test_words_that_cannot_be_read_are_refused(words):
    with pytest.raises(CommandError):
        said("rules", "create", "Night", *words)


def test_a_rule_is_run_and_waited_for():
    make_rule("Mine", mode="off")
    assert read("rules", "run", "Mine")["status"] == "pending"
    assert read("rules", "run", "Mine", "--wait", "5")["status"] == "completed"


def test_a_rule_is_tried_on_values_and_on_an_event():
    make_rule("Busy", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    assert read("rules", "try", "Busy", "--values", '{"cpu_usage": 91}')["result"] == "fired"
    assert read("rules", "try", "Busy")["result"] == "unknown"
    event = events.publish("system.status", data={"status": "x", "component": "database", "details": {}})
    make_rule("Heard", condition="data.status == 'y'")
    assert "data.status = x" in said("rules", "try", "Heard", "--event", event.uid)
    with pytest.raises(CommandError, match="There is no event"):
        said("rules", "try", "Heard", "--event", "evt_none")


def test_a_back_test_goes_through_the_window():
    start = clock.now() - timedelta(minutes=5)
    for number, value in enumerate((50, 90, 90)):
        sample(start + timedelta(seconds=30 * number), cpu_usage=value)
    make_rule("Busy", trigger="automation.threshold", trigger_params={"cpu_threshold": 80})
    found = read("rules", "backtest", "Busy", "--since", start.isoformat())
    assert (found["judged"], found["fired"], found["is_complete"]) == (3, 1, True)
    with pytest.raises(CommandError, match="31 days"):
        said("rules", "backtest", "Busy", "--since", "2020-01-01")


def test_verdicts_and_warnings_are_told():
    make_rule("Heard", condition="data.status == 'y'")
    events.publish("system.status", data={"status": "x", "component": "database", "details": {}})
    jobs.work("kernel.route")
    assert read("rules", "verdicts", "Heard", "--result", "not_met")[0]["text"].startswith("data.status = x")
    assert read("rules", "verdicts", "Heard", "--result", "fired") == []
    make_rule("Loop", mode="shadow", trigger_params={"events": ["execution.completed"]})
    assert "wake itself" in said("rules", "warnings", "Loop")
    assert said("rules", "warnings", "Heard").strip() == "None."


def test_executions_are_listed_shown_and_cancelled():
    rule = make_rule("Mine", mode="off")
    said("rules", "run", "Mine", "--wait", "5")
    said("rules", "run", "Mine")
    waiting, done = read("executions", "list", "--rule", rule.uid, "--source", "manual")
    assert (waiting["status"], done["status"]) == ("pending", "completed")
    assert read("executions", "list", "--status", "completed", "--since", "2020-01-01")[0]["id"] == done["id"]
    shown = read("executions", "show", done["id"])
    assert ([call["action"] for call in shown["calls"]], shown["because"]) == (["acting.noop"], "Started by system.")
    assert read("executions", "cancel", waiting["id"], "--reason", "Not now.")["error"] == "Not now."
    assert Execution.objects.filter(status="cancelled").count() == 1
    with pytest.raises(CommandError, match="nothing left to cancel"):
        said("executions", "cancel", waiting["id"])


def test_automation_is_stopped_started_and_configured():
    assert read("automation", "stop")["controller_status"] == "stopped"
    assert read("automation", "stop")["changed"] is False
    assert read("automation", "start")["changed"] is True
    assert "controller_status" in said("automation", "status")
    assert read("automation", "config")["level"] == "intelligent"
    assert read("automation", "config", "--level", "manual", "--timeout-seconds", "60")["timeout_seconds"] == 60
    assert options.get("AUTOMATION_LEVEL") == "manual"
    with pytest.raises(CommandError, match="AUTOMATION_LEVEL cannot be 'loud'"):
        said("automation", "config", "--level", "loud")
    assert read("automation", "profile", "production")["max_concurrent_actions"] == 50
