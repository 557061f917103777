"""The Python names of the requirements, used as the sources use them."""

import threading
from datetime import timedelta

import pytest
import time_machine

from automation.models import Execution, Rule
from automation.services import control, executions, health_checks
from config import facade
from config.acts import tasks
from config.kernel.desk import options
from config.kernel.flow import clock, jobs
from config.kernel.flow.errors import InvalidInput
from tests.support.acting.executor import work_off
from tests.support.rules import make_rule, sample

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _in_this_thread(monkeypatch):
    """Actions run in the test's own thread."""
    monkeypatch.setattr(tasks.Invoke, "work", lambda self, now, limit: work_off() and 0)
    monkeypatch.setattr(health_checks, "_checks", dict(health_checks._checks))


def look(**values: float) -> None:
    """One sample, judged, with the checks that look at it."""
    sample(clock.now(), **values)
    jobs.work("automation.samples")


# --- start, add, run --------------------------------------------------------------------------------


def test_started_once_and_twice_is_the_same():
    facade.stop_autonomous_operations()
    assert (facade.start_autonomous_operations(), facade.start_autonomous_operations()) == (True, False)
    assert facade.get_automation_status()["controller_status"] == "running"
    assert options.get("AUTOMATION_RUNNING") is True


def test_the_five_examples_are_added_as_printed():
    trigger, action = facade.AutomationTrigger, facade.AutomationAction
    found = [
        facade.add_rule(
            "Daily Cleanup",
            trigger=trigger.SCHEDULED,
            action=action.CLEANUP_CACHE,
            parameters={"schedule": "0 2 * * *", "max_age_hours": 24},
        ),
        facade.add_rule(
            "Queue Monitor",
            trigger=trigger.QUEUE_BASED,
            action=action.BATCH_PROCESS,
            parameters={"queue_threshold": 10, "batch_size": 5},
            conditions={"min_queue_age_minutes": 10},
        ),
        facade.add_rule(
            "Performance Monitor",
            trigger=trigger.THRESHOLD_BASED,
            action=action.OPTIMIZE_PERFORMANCE,
            parameters={"cpu_threshold": 80, "memory_threshold": 85, "response_time_threshold": 5.0},
        ),
        facade.add_rule(
            "Auto Scaling",
            trigger=trigger.USER_ACTIVITY,
            action=action.SCALE_RESOURCES,
            parameters={"activity_threshold": 5, "scale_factor": 1.5},
        ),
        facade.add_rule(
            "Error Recovery",
            trigger=trigger.EVENT_DRIVEN,
            action=action.OPTIMIZE_PERFORMANCE,
            parameters={"recovery_actions": ["restart_services", "clear_error_queues", "reset_connections"]},
        ),
    ]
    assert set(Rule.living.filter(mode="on").values_list("uid", flat=True)) == set(found)
    assert facade.get_automation_status()["active_rules"] == 5


def test_a_rule_run_by_hand_is_true_and_one_that_fails_or_is_not_there_is_false():
    good, bad = make_rule("Good", mode="off"), make_rule("Bad", mode="off", actions=[{"action": "acting.fail", "params": {}}])
    assert facade.trigger_manual_execution(good.uid) is True
    assert facade.trigger_manual_execution(bad.uid) is False
    assert facade.trigger_manual_execution("nobody") is False
    assert list(Execution.objects.order_by("id").values_list("rule__name", "status", "source")) == [
        ("Good", "completed", "manual"),
        ("Bad", "failed", "manual"),
    ]


def test_one_that_does_not_end_in_time_is_false_and_goes_on():
    rule = make_rule("Slow", mode="off", actions=[{"action": "acting.wait", "params": {"seconds": 86400}}])
    assert facade.trigger_manual_execution(rule.uid, wait_seconds=0) is False
    assert Execution.objects.get().status == "running"


# --- status and history -------------------------------------------------------------------------------


def ended(seconds: int, status: str) -> None:
    now = clock.now()
    execution = executions.run_now(Rule.living.first() or make_rule(mode="off"), user="system")
    begun = now - timedelta(seconds=seconds)
    said = "" if status == "completed" else "It broke."
    Execution.objects.filter(pk=execution.pk).update(status=status, started_at=begun, ended_at=now, error_message=said)


def test_status_prints_with_the_format_strings_of_the_source():
    empty = facade.get_automation_status()
    assert f"{empty['success_rate']:.2%} {empty['average_execution_time']:.2f}" == "0.00% 0.00"
    for seconds, status in ((1, "completed"), (2, "completed"), (3, "completed"), (4, "failed")):
        ended(seconds, status)
    found = facade.get_automation_status()
    assert set(found) == {"controller_status", "active_rules", "success_rate", "average_execution_time"}
    assert f"{found['success_rate']:.2%} {found['average_execution_time']:.2f}" == "75.00% 2.50"


def test_history_prints_with_the_loop_of_the_source():
    for status in ("completed", "failed", "completed"):
        ended(1, status)
    lines = []
    for execution in facade.get_execution_history(limit=2):
        lines.append(f"{execution['rule_id']} {execution['status']} {execution['started_at']}")
        if execution["error_message"]:
            lines.append(f"Error: {execution['error_message']}")
    rule = Rule.living.get()
    assert [line.partition(" 2")[0] for line in lines] == [f"{rule.uid} completed", f"{rule.uid} failed", "Error: It broke."]


# --- health checks ------------------------------------------------------------------------------------


def test_a_check_of_ones_own_may_start_an_action():
    controller = facade.autonomous_controller

    @controller.health_check
    def too_hot():
        if (controller.value("cpu_usage") or 0) > 50:
            controller.trigger_action(facade.AutomationAction.SEND_NOTIFICATION, {"recipients": ["a@example.com"], "message": "Hot."})

    look(cpu_usage=40)
    look(cpu_usage=60)
    look(cpu_usage=61)
    execution = Execution.objects.get()
    assert (execution.name, execution.source) == ("too_hot", "health_check")


def test_a_coroutine_will_do():
    seen = []

    @facade.autonomous_controller.health_check
    async def looks():
        seen.append(1)

    look(cpu_usage=1)
    look(cpu_usage=1)
    assert seen


def test_what_another_thread_asks_for_meanwhile_is_no_part_of_a_check():
    seen = []

    @facade.autonomous_controller.health_check
    def looks():
        other = threading.Thread(target=lambda: seen.append(facade.autonomous_controller.value("cpu_usage")))
        other.start()
        other.join()
        seen.append(facade.autonomous_controller.value("cpu_usage"))

    look(cpu_usage=1)
    look(cpu_usage=7)
    assert seen == [None, 7]


def test_a_check_that_raises_is_on_record_once_and_stops_no_other():
    seen = []

    @facade.autonomous_controller.health_check
    def breaks():
        raise RuntimeError("no")

    @facade.autonomous_controller.health_check
    def works():
        seen.append(1)

    for _ in range(3):
        look(cpu_usage=1)
    assert len(seen) == 2
    assert [(row.name, row.status, row.error_code) for row in Execution.objects.all()] == [("breaks", "failed", "check_failed")]


@pytest.mark.parametrize(
    ("name", "limit", "action"),
    [("cpu_usage", 90.0, "automation.scale_resources"), ("memory_usage", 95.0, "automation.cleanup_cache")],
)
def test_the_built_in_checks_act_above_and_not_at_their_limit_and_once(name, limit, action):
    start = clock.now()
    for seconds, value in ((0, 1.0), (30, limit), (60, limit + 0.1), (90, limit + 0.2)):
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            look(**{name: value})
            assert Execution.objects.count() == (1 if value > limit else 0)
    execution = Execution.objects.get()
    assert (execution.source, [step["action"] for step in execution.actions]) == ("health_check", [action])


# --- configuration ------------------------------------------------------------------------------------


def test_a_fresh_installation_prints_exactly_these_seven_values():
    wanted = (
        "AutomationConfig(level=<AutomationLevel.INTELLIGENT: 'intelligent'>, max_concurrent_actions=10, retry_attempts=3, "
        "timeout_seconds=300, monitoring_interval=30, enable_predictive_scaling=True, enable_ml_optimization=True)"
    )
    assert str(facade.AutomationConfig()) == str(facade.AutomationConfig.in_force()) == wanted


def test_the_production_example_is_put_in_force_by_the_engine():
    config = facade.AutomationConfig(facade.AutomationLevel.AUTONOMOUS, 50, 5, 900, 15, True, True)
    facade.AutomationEngine().stop()
    facade.AutomationEngine(config).start()
    assert facade.AutomationConfig.in_force() == config
    assert facade.get_automation_status()["controller_status"] == "running"


def test_the_engine_starts_and_stops_by_the_one_switch():
    engine = facade.AutomationEngine()
    engine.stop()
    assert control.status().controller_status == "stopped"
    engine.start()
    assert control.status().controller_status == "running"


def test_the_controllers_overrides_are_options_in_force_everywhere():
    facade.AutonomousController(check_interval=15, max_executions=50)
    assert (options.get("AUTOMATION_CHECK_INTERVAL"), options.get("AUTOMATION_MAX_CONCURRENT")) == (15, 50)
    controller = facade.AutonomousController()
    controller.metrics["max_executions"] = 2
    assert dict(controller.metrics) == {"check_interval": 15, "max_executions": 2}
    del controller.metrics["max_executions"]
    assert options.get("AUTOMATION_MAX_CONCURRENT") == 10


def test_an_alert_workflow_is_registered_with_the_engine():
    uid = facade.AutomationEngine().register_alert_workflow(
        {
            "name": "high_cpu_usage",
            "condition": "cpu_usage > 80 AND duration > 5m",
            "severity": facade.AlertSeverity.HIGH,
            "actions": [{"type": "scale_infrastructure", "parameters": {"service_name": "web", "scale_factor": 1.5}}],
            "cooldown_period": 600,
        }
    )
    assert (Rule.living.get(uid=uid).severity, facade.AutomationEngine().list_rules()) == ("high", ["high_cpu_usage"])


def test_levels_decide_what_starts_by_itself():
    found = {}
    for level in ("manual", "intelligent", "autonomous"):
        options.set("AUTOMATION_LEVEL", level)
        for action in ("acting.noop", "acting.critical"):
            rule = make_rule(f"{level} {action}", trigger="automation.threshold", condition="disk_usage > 1", actions=[{"action": action}])
            look(disk_usage=0)
            look(disk_usage=2)
            for _ in range(3):
                jobs.work("automation.advance")
                work_off()
            execution = Execution.objects.get(rule=rule)
            call = executions.invocations_of(execution).first()
            found[level, action] = call.status if call else execution.reason
            rule.refresh_from_db()
            from automation.services import rules

            rules.set_mode(rule, "off")
    assert found == {
        ("manual", "acting.noop"): "level",
        ("manual", "acting.critical"): "level",
        ("intelligent", "acting.noop"): "completed",
        ("intelligent", "acting.critical"): "awaiting_approval",
        ("autonomous", "acting.noop"): "completed",
        ("autonomous", "acting.critical"): "completed",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cooldown": 3}, "cooldown"),
        ({"actions": [{"parameters": {}}]}, "actions.0"),
        ({"actions": ["notify_slack"]}, "actions.0"),
        ({"actions": [{"type": "acting.noop", "params": {}}]}, "actions.0.params"),
    ],
)
def test_an_alert_workflow_with_what_nobody_knows_is_refused(changes, field):
    with pytest.raises(InvalidInput) as refused:
        facade.AutomationEngine().register_alert_workflow({"name": "Alarm", "condition": "cpu_usage > 80", "severity": "high", **changes})
    assert list(refused.value.fields) == [field]
    assert not Rule.objects.exists()
