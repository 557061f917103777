"""The state of the whole is that of its parts, a broken part holds up nobody, and a change is one event."""

import json
import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from config.dashboard import status
from config.kernel.flow import clock
from config.kernel.models import Component, Event, EventType, Lease
from config.kernel.plugins.contracts import Probed, probes
from config.kernel.watch import health, heartbeat
from config.kernel.watch import probes as kernel_probes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(health, "_kept", health._Kept())
    EventType.objects.get_or_create(name="system.status")


@pytest.fixture
def parts(monkeypatch):
    """The only probes there are; a test changes what they answer."""
    answers = {"database": Probed("healthy"), "celery": Probed("healthy")}
    monkeypatch.setattr(probes, "_found", {f"kernel.{name}": (lambda name=name: answers[name]) for name in answers})
    return answers


def announced():
    return [(event.data["component"], event.data["status"]) for event in Event.objects.filter(type="system.status").order_by("id")]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["healthy", "healthy"], "healthy"),
        (["healthy", "disabled"], "healthy"),
        (["unknown", "healthy"], "unknown"),
        (["warning", "unknown"], "warning"),
        (["warning", "critical"], "critical"),
        (["disabled"], "unknown"),
        ([], "unknown"),
    ],
)
def test_whole_is_the_worst_of_its_parts(states, expected):
    assert health.overall({str(number): Probed(state) for number, state in enumerate(states)}) == expected


def test_report_is_kept_for_five_seconds(parts, time_machine):
    time_machine.move_to("2026-01-31T12:00:00Z", tick=False)
    health.report()
    parts["celery"] = Probed("critical")
    time_machine.shift(4)
    before = health.report().status
    time_machine.shift(2)
    assert (before, health.report().status) == ("healthy", "critical")


def test_probe_that_hangs_is_critical_and_holds_up_nobody(parts, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.05)
    with ExitStack() as stack:
        stack.callback(never.set)
        stack.enter_context(probes.swapped("kernel.celery", lambda: never.wait() and Probed("healthy")))
        found = health.report().checks
    assert (found["celery"].status, found["database"].status) == ("critical", "healthy")


def test_hanging_probe_is_not_started_again(parts, monkeypatch):
    never, starts = threading.Event(), []
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.05)

    def hang():
        starts.append(1)
        never.wait()
        return Probed("healthy")

    with ExitStack() as stack:
        stack.callback(never.set)
        stack.enter_context(probes.swapped("kernel.celery", hang))
        for _ in range(3):
            health.forget()
            health.report()
    assert len(starts) == 1


def test_probe_that_raises_is_unknown(parts):
    with probes.swapped("kernel.celery", lambda: 1 / 0):
        assert health.report().checks["celery"].status == "unknown"


def test_health_page_has_strings_and_a_float(parts):
    reply = status.health_page(RequestFactory().get("/health"))
    body = json.loads(reply.content)
    assert reply.status_code == 200
    assert set(body) == {"status", "checks", "uptime"}
    assert body["checks"] == {"database": "healthy", "celery": "healthy"}
    assert (body["status"], type(body["uptime"])) == ("healthy", float)


def test_database_celery_and_github_are_among_the_components():
    assert {"database", "celery", "github_api"} <= {health.shown_name(key) for key in probes.all()}


def test_health_page_answers_503_when_critical(parts):
    parts["database"] = Probed("critical", "secret detail")
    reply = status.health_page(RequestFactory().get("/health"))
    assert reply.status_code == 503
    assert b"secret detail" not in reply.content


def test_change_is_announced_once(parts):
    health.watch()
    parts["celery"] = Probed("critical", "none alive")
    assert [health.watch() for _ in range(3)] == [["celery"], [], []]
    parts["celery"] = Probed("healthy")
    health.watch()
    assert announced() == [("celery", "critical"), ("celery", "healthy")]


def test_a_change_is_told_with_its_component_state_and_details(parts):
    health.watch()
    parts["celery"] = Probed("critical", "none alive")
    health.watch()
    assert Event.objects.get(type="system.status").data == {"status": "critical", "component": "celery", "details": "none alive"}


def test_first_look_at_a_healthy_house_announces_nothing(parts):
    health.watch()
    assert announced() == []
    assert Component.objects.count() == 2


def test_two_watchers_announce_a_change_once(parts):
    health.watch()
    row = Component.objects.get(key="celery")
    Component.objects.filter(pk=row.pk).update(status="critical")
    assert not health.step("celery", Probed("critical"), at=clock.now())
    assert announced() == []


def test_database_that_was_away_is_told_afterwards_once(parts, time_machine):
    time_machine.move_to("2026-01-31T12:00:00Z", tick=False)
    health.watch()
    time_machine.shift(60)
    lost_at = clock.now()
    time_machine.shift(30)
    assert health.was_away("database", since=lost_at, detail="away")
    assert not health.was_away("database", since=lost_at, detail="away")
    assert announced() == [("database", "critical"), ("database", "healthy")]


def test_no_worker_for_thirty_seconds_is_critical(time_machine):
    time_machine.move_to("2026-01-31T12:00:00Z", tick=False)
    heartbeat.Heartbeat("celery@here", ["default", "deliveries", "actions"]).beat()
    states = []
    for _ in range(2):
        states.append(kernel_probes.celery().status)
        time_machine.shift(31)
    assert states == ["healthy", "critical"]


def test_queue_that_nobody_takes_is_a_warning():
    heartbeat.Heartbeat("celery@here", ["default"]).beat()
    found = kernel_probes.celery()
    assert found.status == "warning"
    assert "deliveries" in found.detail


def test_worker_is_listed_with_its_queues():
    heartbeat.Heartbeat("celery@here", ["deliveries", "default"]).beat()
    [worker] = heartbeat.alive()
    assert (worker.name, worker.queues) == ("celery@here", ("default", "deliveries"))


def test_heartbeat_announces_a_database_that_came_back(monkeypatch, time_machine):
    time_machine.move_to("2026-01-31T12:00:00Z", tick=False)
    Component.objects.create(key="database", status="healthy")
    time_machine.shift(60)
    beating = heartbeat.Heartbeat("celery@here", ["default"])
    with monkeypatch.context() as away:
        away.setattr(Lease.objects, "update_or_create", lambda **_: (_ for _ in ()).throw(OperationalError("away")))
        assert not beating.beat()
    time_machine.shift(20)
    assert beating.beat()
    assert announced() == [("database", "critical"), ("database", "healthy")]


def test_redis_and_github_are_disabled_without_their_settings(settings):
    settings.REDIS_URL = settings.GITHUB_TOKEN = ""
    assert {kernel_probes.redis_server().status, kernel_probes.github_api().status} == {"disabled"}


def test_redis_that_refuses_is_critical(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert kernel_probes.redis_server().status == "critical"


@pytest.mark.parametrize(("code", "expected"), [(200, "healthy"), (401, "warning"), (502, "warning")])
def test_github_is_never_more_than_a_warning(settings, monkeypatch, code, expected):
    settings.GITHUB_TOKEN = "ghp_" + "x" * 20
    kernel_probes.cache.delete("health:github_api")
    calls = []
    reply = type("Reply", (), {"status": code, "error_code": "", "error": ""})
    monkeypatch.setattr(kernel_probes.http, "send", lambda request: calls.append(request) or reply)
    assert [kernel_probes.github_api().status for _ in range(2)] == [expected, expected]
    assert len(calls) == 1, "the answer is kept, to spare the quota"
    kernel_probes.cache.delete("health:github_api")


def test_event_that_waits_is_a_warning():
    Event.objects.create(type="x.happened", body=b"{}", source="system", created_at=clock.now() - timedelta(minutes=2))
    assert kernel_probes.backlog().status == "warning"


def test_database_probe_asks_a_real_question(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert kernel_probes.database().status == "healthy"


def test_metrics_page_is_404_when_switched_off(settings):
    settings.ENABLE_METRICS = False
    assert status.metrics_page(RequestFactory().get("/metrics")).status_code == 404


@pytest.mark.parametrize(("given", "code"), [("", 401), ("Bearer wrong", 401), ("Bearer ümlaut", 401), ("Bearer open-sesame", 200)])
def test_metrics_page_wants_its_token_where_one_is_set(settings, given, code):
    settings.METRICS_TOKEN = "open-sesame"
    request = RequestFactory().get("/metrics", headers={"Authorization": given})
    assert status.metrics_page(request).status_code == code
