"""How services stand: looked at, written down once, announced when it is news."""

import socket
from urllib.parse import urlsplit

import orjson
import pytest

from config.acts.plugins.controllers import Standing
from config.kernel.flow import clock, jobs
from config.kernel.models import Event
from config.kernel.plugins.contracts import duties
from healing.models import Service
from healing.services import services, standing
from tests.support import receivers
from tests.support.steered import watched

pytestmark = pytest.mark.django_db


def news():
    return [event.data["status"] + "/" + event.data["health"] for event in changes()]


def changes():
    rows = list(Event.objects.filter(type="service.status_changed").order_by("id"))
    for row in rows:
        row.data = orjson.loads(bytes(row.body))["data"]
    return rows


def test_what_was_seen_is_told_in_whole_sentences():
    seen = standing.Seen(Standing("running", 2, "demo_00 is EXITED"), standing.Checked("critical", "No connection."))
    assert seen.sentence == "It is running. demo_00 is EXITED. No connection."


def test_a_look_is_written_down_and_announced_once(pretend):
    service = watched()
    standing.check(service)
    standing.check(service)
    row = services.find("web")
    assert (row.status, row.health, row.instances, row.pids) == ("running", "disabled", 1, [100])
    assert row.status_since is not None
    assert news() == ["running/disabled"]


def test_its_ending_is_news_with_what_was_before(pretend):
    service = watched()
    standing.check(service)
    since = services.find("web").status_since
    pretend.state, pretend.pids = "stopped", ()
    standing.check(service)
    assert changes()[-1].data["status_before"] == "running"
    assert changes()[-1].subject == f"service:{service.uid}"
    assert services.find("web").status_since > since


def test_a_controller_that_raises_makes_it_unknown_not_stopped(pretend, monkeypatch, caplog):
    monkeypatch.setattr(type(pretend), "status", lambda self, params: 1 / 0)
    seen = standing.check(watched())
    assert seen.standing.state == "unknown"
    assert "ZeroDivisionError" in seen.standing.detail
    assert "service.status_failed" in caplog.text


def test_a_controller_that_is_gone_makes_it_unknown(pretend):
    service = watched()
    Service.objects.update(controller="gone.away")
    service.refresh_from_db()
    assert "not installed" in standing.check(service).sentence


@pytest.mark.parametrize(("answer", "health"), [(200, "healthy"), (503, "critical"), (302, "critical")])
def test_health_by_http_is_the_expected_status_and_nothing_else(pretend, settings, answer, health):
    with receivers.status(answer) as receiver:
        settings.STEWARD_TRUSTED_TARGETS = [f"http://{urlsplit(receiver.url).netloc}"]
        seen = standing.check(watched(health_kind="http", health_target=receiver.url))
    assert seen.checked.health == health
    assert str(answer) in seen.checked.detail
    assert seen.is_well is (health == "healthy")


def test_health_by_http_when_nobody_listens(pretend, settings):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    settings.STEWARD_TRUSTED_TARGETS = [f"http://127.0.0.1:{port}"]
    assert standing.check(watched(health_kind="http", health_target=f"http://127.0.0.1:{port}/")).checked.health == "critical"


def test_an_address_that_nobody_vouches_for_any_more_is_not_asked_and_unknown(pretend, settings):
    settings.STEWARD_TRUSTED_TARGETS = ["http://127.0.0.1:9"]
    by_http = watched("by-http", health_kind="http", health_target="http://127.0.0.1:9/")
    by_tcp = watched("by-tcp", health_kind="tcp", health_target="127.0.0.1:9")
    settings.STEWARD_TRUSTED_TARGETS = []
    for service in (by_http, by_tcp):
        seen = standing.check(service)
        assert seen.checked.health == "unknown"
        assert "STEWARD_TRUSTED_TARGETS" in seen.checked.detail


def test_health_by_tcp(pretend, settings):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings.STEWARD_TRUSTED_TARGETS = [f"http://127.0.0.1:{port}"]
        service = watched(health_kind="tcp", health_target=f"127.0.0.1:{port}")
        assert standing.check(service).checked.health == "healthy"
    seen = standing.check(service)
    assert seen.checked.health == "critical"
    assert "takes no connection" in seen.checked.detail


def test_health_by_tcp_asks_every_address_of_the_name(pretend, settings, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: found if host == "localhost" else [found[int(host[-1]) % 2]])
        settings.STEWARD_TRUSTED_TARGETS = [f"http://localhost:{port}"]
        service = watched(health_kind="tcp", health_target=f"localhost:{port}")
        assert standing.check(service).checked.health == "healthy"
    assert standing.check(service).checked.health == "critical"


@pytest.mark.parametrize("said", [Standing("failed", 2**40, "a\0b"), Standing("failed", None, "\ud800")])
def test_what_no_database_takes_is_written_down_all_the_same(pretend, monkeypatch, said):
    monkeypatch.setattr(pretend, "status", lambda params: said)
    standing.check(watched())
    row = Service.objects.get()
    assert (row.status, row.instances) == ("failed", None)
    assert row.status_detail in ("a\ufffdb", "?")


def test_the_duty_looks_at_what_is_due_and_then_leaves_it_alone(pretend, frozen):
    watched("one")
    watched("two")
    assert jobs.work(services.DUTY) == 2
    assert duties.get(services.DUTY).due_count(clock.now()) == 0
    frozen.shift(14)
    assert jobs.work(services.DUTY) == 0
    frozen.shift(1)
    assert jobs.work(services.DUTY) == 2


def test_what_one_worker_has_taken_is_not_taken_by_another_that_saw_it_too(pretend):
    watched()
    now = clock.now()
    seen_by_both = list(Service.living.all())
    assert [one.name for one in standing._claim(now, 10)] == ["web"]
    assert [one for one in seen_by_both if standing._take(one, now)] == []


def test_a_deleted_service_is_not_looked_at_and_no_news(pretend):
    service = watched()
    services.delete(service)
    assert standing.work(clock.now(), 10) == 0
    standing.record(service, standing.Seen(Standing("failed"), standing.Checked("critical", "")))
    assert news() == []
