"""`manage.py doctor` tells apart what can be wrong, and says what to do."""

import json
import re
from contextlib import nullcontext
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError

from config.kernel.flow import clock
from config.kernel.management import examination
from config.kernel.models import Event
from config.kernel.watch import heartbeat

pytestmark = pytest.mark.django_db


def by_name(topic):
    return {one.name: one for one in examination.examine(topic)}


@pytest.fixture
def refused(monkeypatch):
    """The server answers on its port and refuses the log-in with this text."""

    def refuse(text):
        def fail(*_, **__):
            raise OperationalError(text)

        monkeypatch.setattr(examination.socket, "create_connection", lambda *_, **__: type("Socket", (), {"close": lambda self: None})())
        monkeypatch.setattr(examination, "connection", type("Connection", (), {"cursor": fail})())

    return refuse


def test_healthy_database_is_reachable_and_migrated():
    found = by_name("database")
    assert {one.status for one in found.values()} == {"ok"}
    assert found["migrations"].detail == "all applied"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('FATAL:  password authentication failed for user "x"', "authentication failed"),
        ('FATAL:  database "x" does not exist', "no such database"),
        ("FATAL:  sorry, too many clients already", "no free connection"),
    ],
)
def test_refused_log_in_says_why(refused, text, expected):
    refused(text)
    found = by_name("database")["connection"]
    assert found.status == "failed"
    assert expected in found.detail
    assert found.advice


def test_database_that_nobody_serves_is_told_from_a_refused_log_in(settings):
    given = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": 1}
    found = examination._database_problem(given)
    assert "does not answer" in found.detail


def test_host_that_does_not_exist_is_named():
    found = examination._database_problem({"ENGINE": "django.db.backends.postgresql", "HOST": "nowhere.invalid", "PORT": 5432})
    assert "there is no host 'nowhere.invalid'" in found.detail


@pytest.mark.parametrize(
    ("vendor", "version", "expected"), [("postgresql", (14, 2), "failed"), ("postgresql", (15, 0), "ok"), ("sqlite", (3, 40), "ok")]
)
def test_old_postgresql_is_refused(vendor, version, expected):
    assert examination._version(vendor, version).status == expected


def test_redis_that_is_not_used_is_no_fault(settings):
    settings.REDIS_URL = ""
    assert by_name("redis")["connection"].status == "ok"


def test_redis_that_refuses_is_a_fault_with_advice(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    found = by_name("redis")["connection"]
    assert (found.status, found.advice) == ("failed", "Start Redis, or correct REDIS_URL.")


@pytest.fixture
def redis_of(settings, monkeypatch):
    """A Redis of this version whose queues hold these many messages."""

    def stand_in(version, **waiting):
        settings.REDIS_URL = "redis://user:hunter2@redis.example:6379/0"
        client = SimpleNamespace(ping=lambda: True, info=lambda _: {"redis_version": version}, llen=waiting.get)
        monkeypatch.setattr(examination.probes, "redis_client", lambda: nullcontext(client))

    return stand_in


def test_redis_that_answers_is_shown_with_its_latency_and_without_its_password(redis_of):
    redis_of("7.2.4")
    found = by_name("redis")
    assert re.match(r"PONG in \d+\.\d ms from redis://", found["connection"].detail)
    assert (found["version"].status, "hunter2" in str(found)) == ("ok", False)


def test_old_redis_is_refused(redis_of):
    redis_of("6.2.1")
    assert (by_name("redis")["version"].status, by_name("redis")["version"].advice) == ("failed", "Use Redis 7 or newer.")


def test_queues_are_counted_and_active_tasks_named(redis_of, monkeypatch):
    redis_of("7.2.4", default=7, deliveries=0, actions=0)
    active = {"celery@here": [{"name": "kernel.work", "args": ["kernel.route"]}]}
    inspect = SimpleNamespace(inspect=lambda timeout: SimpleNamespace(active=lambda: active))
    monkeypatch.setattr(examination, "get_current_app", lambda: SimpleNamespace(control=inspect))
    found = by_name("celery")
    assert found["queues"].detail == "default 7, deliveries 0, actions 0"
    assert found["active tasks"].detail == "kernel.work['kernel.route'] on celery@here"


def test_load_names_processor_memory_disk_and_network():
    said = by_name("system")["load"].detail
    assert all(word in said for word in ("CPU", "memory", "disk read", "network in"))


def test_missing_worker_is_a_fault_by_queue(settings):
    settings.REDIS_URL = ""
    heartbeat.Heartbeat("celery@here", ["default"]).beat()
    found = by_name("celery")
    assert (found["workers of default"].status, found["workers of deliveries"].status) == ("ok", "failed")


def test_event_that_waits_is_a_fault(settings):
    settings.REDIS_URL = ""
    Event.objects.create(type="x.happened", body=b"{}", source="system", created_at=clock.now() - timedelta(minutes=5))
    assert by_name("celery")["unrouted events"].status == "failed"


def test_secrets_that_others_can_read_are_a_fault(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    path = tmp_path / "secrets.json"
    path.touch(mode=0o600)
    private = examination._secrets_file().status
    path.chmod(0o644)
    assert (private, examination._secrets_file().status) == ("ok", "failed")


def test_ways_round_the_address_guard_are_shown_without_secrets(settings):
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8"]
    settings.STEWARD_TRUSTED_TARGETS = ["http://user:hunter2@10.0.0.1:9090"]
    found = list(examination._overrides())
    assert [one.name for one in found] == ["WEBHOOK_ALLOW_HTTP", "WEBHOOK_ALLOWED_NETWORKS", "STEWARD_TRUSTED_TARGETS"]
    assert "hunter2" not in str(found)


def test_look_that_fails_is_a_finding(monkeypatch):
    monkeypatch.setitem(examination.TOPICS, "system", lambda: 1 / 0)
    [found] = examination.examine("system")
    assert (found.status, found.name) == ("failed", "examination")


def test_command_answers_json_and_fails_with_status_1(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "redis", "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert ended.value.code == 1
    assert (answer["ok"], answer["findings"][0]["topic"]) == (False, "redis")


def test_command_is_content_with_a_healthy_database():
    out = StringIO()
    call_command("doctor", "database", stdout=out)
    assert "FAIL" not in out.getvalue()
