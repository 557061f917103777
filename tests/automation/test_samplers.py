"""What is measured is true: by psutil, by the database, by the broker, by requests really made, by a Prometheus server."""

import contextvars
import json
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import psutil
import pytest
import time_machine
from celery import current_app
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from automation.samplers import broker, database, prometheus, system, traffic, work
from config.doors import presence
from config.kernel import series
from config.kernel.desk import options
from config.kernel.flow import events, leases
from config.kernel.models import Lease, Snapshot
from config.kernel.plugins.contracts import duties
from config.kernel.plugins.samplers import samplers
from config.kernel.series import known, sampling, window
from config.kernel.watch import heartbeat, metrics
from config.kernel.wire import http
from tests.support import receivers

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_counted(monkeypatch):
    monkeypatch.setattr(metrics, "_memory", metrics._Memory())
    monkeypatch.setattr(sampling, "_last", {})


def newest():
    """The values of the newest snapshot."""
    found = series.latest()
    assert found
    return found[1]


def measured(sampler, between=None):
    """What a sampler says within a window, without its gaps."""
    between = between or window.Window(None, NOW, {})

    def measure():
        window.enter(between)
        return dict(sampler.measure())

    return {name: value for name, value in contextvars.copy_context().run(measure).items() if value is not None}


def after(before, *, seconds=30):
    """The window that follows one that has ended."""
    metrics.flush()
    return window.Window(before.until, before.until + timedelta(seconds=seconds), dict(before.now), window.tallies())


# --- this machine -------------------------------------------------------------------------------
def test_memory_and_disk_are_what_psutil_says():
    found = measured(system.System())
    assert found["memory_usage"] == pytest.approx(psutil.virtual_memory().percent, abs=3)
    assert found["disk_usage"] == pytest.approx(psutil.disk_usage("/").percent, abs=1)
    assert found["data_disk_usage"] == pytest.approx(psutil.disk_usage(str(settings.DATA_DIR)).percent, abs=1)
    assert found["memory_available"] == pytest.approx(psutil.virtual_memory().available, rel=0.2)
    assert found["swap_usage"] == pytest.approx(psutil.swap_memory().percent, abs=3)
    assert found["load_1m"] == pytest.approx(psutil.getloadavg()[0], abs=0.5)


def test_processor_time_is_what_psutil_makes_of_the_same_two_looks(monkeypatch):
    """Two real looks, with some work between; psutil's own cpu_percent is given the same two."""
    looks = [psutil.cpu_times()]
    sum(number * number for number in range(2_000_000))
    looks.append(psutil.cpu_times())
    assert sum(looks[1]) > sum(looks[0])
    first, found, theirs = window.Window(None, NOW, {}), {}, 0.0
    for look in looks:
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu=False, look=look: look)
        theirs = psutil.cpu_percent(interval=None)
        found = measured(system.System(), first if look is looks[0] else after(first))
    assert found["cpu_usage"] == pytest.approx(theirs, abs=0.1)


def test_a_processor_that_did_nothing_and_one_that_did_nothing_else(monkeypatch):
    times = psutil.cpu_times()
    busy = times._replace(user=times.user + 25, idle=times.idle + 75)
    first = window.Window(None, NOW, {})
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    measured(system.System(), first)
    monkeypatch.setattr(psutil, "cpu_times", lambda: busy)
    assert measured(system.System(), after(first))["cpu_usage"] == pytest.approx(25, abs=0.01)


def test_traffic_of_network_and_disks_is_by_second_and_unknown_at_first():
    first = window.Window(None, NOW, {})
    assert "network_sent" not in measured(system.System(), first)
    risen = {name: value - 3000 if name.endswith("network_sent") else value for name, value in first.now.items()}
    found = measured(system.System(), window.Window(NOW, NOW + timedelta(seconds=30), risen))
    assert found["network_sent"] >= 100


def test_only_our_own_processes_are_counted():
    found = system._ours()
    if found:
        assert 0 < found["process_memory"] < psutil.virtual_memory().total
    assert not system._is_ours(type("Other", (), {"info": {"cmdline": ["python", "/elsewhere/manage.py"]}, "cwd": lambda self: "/"})())
    ours = type("Ours", (), {"info": {"cmdline": ["python", "manage.py", "beat"]}, "cwd": lambda self: str(settings.BASE_DIR)})()
    assert system._is_ours(ours)


# --- database and broker ------------------------------------------------------------------------
def test_the_database_says_its_size():
    found = measured(database.Database())
    assert set(found) == {fact.name for fact in database.Database().facts()}
    assert found["database_size"] >= 4096


def psycopg_parameters():
    """How to reach the database of the tests beside Django."""
    given = connection.settings_dict
    return {"dbname": given["NAME"], "user": given["USER"], "password": given["PASSWORD"], "host": given["HOST"], "port": given["PORT"]}


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_stays_open_is_seen():
    if connection.vendor != "postgresql":
        assert "database_longest_transaction" not in measured(database.Database())
        return
    import psycopg

    before = measured(database.Database())
    with psycopg.connect(**psycopg_parameters()) as other:
        other.execute("SELECT 1")
        found = measured(database.Database())
    assert found["database_longest_transaction"] > before["database_longest_transaction"]
    assert found["database_connections"] >= before["database_connections"] + 1
    assert 0 < found["database_connections_usage"] < 100


def test_messages_that_wait_are_counted_by_queue():
    Lease.objects.create(name="worker:letters:w@h", until=datetime.now(UTC) + timedelta(seconds=20), token="-", holder=leases.me())
    assert "letters" in {queue for worker in heartbeat.alive() for queue in worker.queues}
    with current_app.connection_for_write() as there:
        queue = there.SimpleQueue("letters")
        queue.clear()
        for number in range(3):
            queue.put({"number": number})
        found = measured(broker.Broker())
        assert (found["celery.letters.waiting"], "celery.default.waiting" in found) == (3, True)
        queue.clear()
    assert series.fact("celery.letters.waiting").about == broker.QUEUES.about
    assert ("redis_memory" in found) == bool(settings.REDIS_URL)


def test_without_redis_only_the_workers_own_process_counts_messages(settings):
    settings.REDIS_URL = ""
    assert not measured(broker.Broker())


def test_work_that_waits_is_the_sum_of_what_is_due():
    class Chore:
        queue = "default"

        def __init__(self, due):
            self.due_count = lambda now: due() if callable(due) else due

    before = measured(work.Work())
    with duties.swapped("tests.chore", Chore(7)):
        found = measured(work.Work())
    assert (found["work.tests.chore.due"], found["queue_depth"]) == (7, before["queue_depth"] + 7)
    with duties.swapped("tests.chore", Chore(lambda: 1 / 0)):
        found = measured(work.Work())
    assert "queue_depth" not in found, "a sum of which a part is not known is not known"
    assert "work.kernel.notify.due" in found


# --- traffic ------------------------------------------------------------------------------------
@pytest.fixture
def people():
    return [User.objects.create_user(f"user{number}", password="x") for number in range(5)]


def test_requests_and_active_users_are_those_that_asked(people, api_of):
    """Four sessions and one token; two of them ask twice; `/health` counts for nobody."""
    first = window.Window(None, datetime.now(UTC), {}, window.tallies())
    for person in people[:4]:
        browser = Client()
        browser.force_login(person)
        browser.get("/login")
    browser.get("/login")
    program = api_of(people[4])
    program.get("/api/v1/events")
    program.get("/api/v1/events")
    Client().get("/health")
    Client().get("/login")
    found = measured(traffic.Traffic(), after(first))
    assert found["active_users"] == 5
    assert found["requests_per_second"] == pytest.approx(8 / 30)
    assert found["error_rate"] == 0
    assert 0 < found["response_time"] <= found["response_time_p95"] * 20


def test_the_same_user_twice_is_one(people, api_of):
    browser = Client()
    browser.force_login(people[0])
    browser.get("/login")
    api_of(people[0]).get("/api/v1/events")
    assert measured(traffic.Traffic(), after(window.Window(None, NOW, {})))["active_users"] == 1


def test_a_stranger_is_nobody(client, api_of, people):
    client.get("/login")
    program = api_of(people[0])
    program.credentials(HTTP_AUTHORIZATION="Bearer stw_wrong")
    program.get("/api/v1/events")
    assert measured(traffic.Traffic(), after(window.Window(None, NOW, {})))["active_users"] == 0


def test_who_asked_long_ago_is_not_active_any_more(people):
    with time_machine.travel(NOW, tick=False) as clock:
        presence.seen(people[0].pk)
        presence.write()
        clock.shift(timedelta(minutes=4, seconds=59))
        assert presence.active(options.get("ACTIVE_USER_MINUTES")) == 1
        clock.shift(timedelta(seconds=1))
        assert presence.active(options.get("ACTIVE_USER_MINUTES")) == 0
        options.set("ACTIVE_USER_MINUTES", 10)
        assert presence.active(options.get("ACTIVE_USER_MINUTES")) == 1


def test_a_user_who_asks_all_the_time_is_written_once_a_minute(people, django_assert_num_queries):
    with time_machine.travel(NOW, tick=False) as clock:
        presence.seen(people[0].pk)
        with django_assert_num_queries(1):
            presence.write()
        for _ in range(11):
            clock.shift(timedelta(seconds=5))
            presence.seen(people[0].pk)
            with django_assert_num_queries(0):
                presence.write()
        clock.shift(timedelta(seconds=5))
        with django_assert_num_queries(1):
            presence.write()
    assert people[0].presence.seen_at == NOW + timedelta(seconds=55)


def test_a_request_costs_no_statement_for_its_user(people, django_assert_num_queries):
    with django_assert_num_queries(0):
        presence.seen(people[0].pk)


def test_events_and_failed_tasks_are_counted(admin_user):
    first = window.Window(None, datetime.now(UTC), {}, window.tallies())
    for number in range(3):
        data = {"status": "healthy", "component": f"c{number}", "details": ""}
        events.publish("system.status", data=data, subject=f"component:c{number}")
    for outcome in ("success", "success", "failure"):
        metrics.count("tasks_total", task="kernel.work", outcome=outcome)
    between = after(first, seconds=20)
    found = measured(traffic.Traffic(), between)
    assert found["events_per_second"] == pytest.approx(3 / 20)
    assert (found["tasks_per_second"], found["task_failures_per_second"]) == (pytest.approx(3 / 20), pytest.approx(1 / 20))


def test_errors_of_ours_are_a_share_of_all_requests():
    first = window.Window(None, NOW, {}, window.tallies())
    for status, count in (("2xx", 15), ("4xx", 4), ("5xx", 1)):
        metrics.count("http_requests_total", count, method="GET", status=status)
    assert measured(traffic.Traffic(), after(first))["error_rate"] == 5.0


# --- Prometheus ---------------------------------------------------------------------------------
class StandIn:
    """Answers `/api/v1/query` as its documentation shows it; any other path is 404, a query it does not know an error."""

    def __init__(self):
        self.answers = {}

    def vector(self, query, *values):
        result = [
            {"metric": {"job": "node", "instance": f"i{number}"}, "value": [1435781451.781, value]} for number, value in enumerate(values)
        ]
        self.answers[query] = (200, {"status": "success", "data": {"resultType": "vector", "result": result}})

    def scalar(self, query, value):
        self.answers[query] = (200, {"status": "success", "data": {"resultType": "scalar", "result": [1435781451.781, value]}})

    def __call__(self, receiver, there, request):
        asked = parse_qs(request.body.decode())["query"][0] if (request.method, request.path) == ("POST", "/api/v1/query") else None
        refused = (400, {"status": "error", "errorType": "bad_data", "error": "invalid parameter: parse error"})
        status, body = self.answers.get(asked, refused) if asked else (404, {})
        return receivers.answering(status, json.dumps(body).encode(), {"Content-Type": "application/json"})(receiver, there, request)


@pytest.fixture
def server(settings):
    known.forget()
    answers = StandIn()
    with receivers.serve(answers) as found:
        settings.PROMETHEUS_URL = f"http://127.0.0.1:{found.port}"
        answers.requests = found.requests
        yield answers
    http.close_pools()


def test_prometheus_is_asked_for_what_the_option_names(server, settings):
    settings.PROMETHEUS_TOKEN = "tok"
    server.vector('max(node_load1{job="node"})', "1.5")
    server.scalar("scalar(up)", "1")
    options.set("PROMETHEUS_QUERIES", ['node_load=max(node_load1{job="node"})', "is_up = scalar(up)"])
    assert measured(prometheus.Prometheus()) == {"node_load": 1.5, "is_up": 1.0}
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer tok"}
    assert series.fact("node_load").about == 'Prometheus: max(node_load1{job="node"})'


@pytest.mark.parametrize(
    ("query", "said"),
    [("two", "Sum them"), ("wrong", "parse error"), ("nothing", "")],
)
def test_what_is_no_single_number_is_a_gap_with_a_reason(server, caplog, query, said, monkeypatch):
    monkeypatch.setattr("config.kernel.flow.errors._logged", {})
    server.vector("two", "1", "2")
    server.vector("nothing")
    options.set("PROMETHEUS_QUERIES", [f"x={query}"])
    assert measured(prometheus.Prometheus()) == {}
    assert said in caplog.text
    assert bool(said) == ("prometheus.query_failed" in caplog.text)


def test_a_prometheus_that_is_away_is_a_gap(settings, caplog, monkeypatch):
    monkeypatch.setattr("config.kernel.flow.errors._logged", {})
    settings.PROMETHEUS_URL = f"http://127.0.0.1:{receivers.refused_port()}"
    options.set("PROMETHEUS_QUERIES", ["x=up"])
    assert measured(prometheus.Prometheus()) == {}
    assert "Prometheus does not answer" in caplog.text
    http.close_pools()


def test_without_a_server_nobody_is_asked():
    options.set("PROMETHEUS_QUERIES", ["cpu_usage=up"])
    assert (prometheus.Prometheus().facts(), measured(prometheus.Prometheus())) == ((), {})


@pytest.mark.django_db(transaction=True)
def test_a_value_of_prometheus_takes_the_place_of_ours_and_without_a_server_ours_is_used(server, settings):
    """S1-07, through a real tick with every sampler: what a rule on cpu_usage sees."""
    server.vector("avg(cpu)", "91.25")
    options.set("PROMETHEUS_QUERIES", ["cpu_usage=avg(cpu)"])
    assert sampling.tick(NOW)
    values = newest()
    assert values["cpu_usage"] == 91.25
    assert values["memory_usage"] == pytest.approx(psutil.virtual_memory().percent, abs=5)
    server.answers.clear()
    Lease.objects.all().delete()
    assert sampling.tick(NOW + timedelta(seconds=30))
    assert "cpu_usage" not in newest(), "away, it is a gap: another meaning must not stand in for it"
    settings.PROMETHEUS_URL = ""
    Lease.objects.all().delete()
    assert sampling.tick(NOW + timedelta(seconds=60))
    assert 0 <= newest()["cpu_usage"] <= 100


# --- all together -------------------------------------------------------------------------------
def test_every_name_is_declared_by_one_sampler_and_says_its_unit():
    names = [fact.name for sampler in samplers.all().values() for fact in sampler.facts()]
    assert len(names) == len(set(names))
    assert {fact.unit for sampler in samplers.all().values() for fact in sampler.facts()} <= {"", "%", "s", "bytes", "/s", "bytes/s"}
    assert {"cpu_usage", "memory_usage", "response_time", "active_users", "requests_per_second"} <= set(names)


@pytest.mark.django_db(transaction=True)
def test_a_real_tick_measures_nothing_that_nobody_declared():
    assert sampling.tick(NOW)
    assert [name for name in newest() if series.fact(name) is None] == []
    assert Snapshot.objects.get().counters, "rates of the next tick need them"
    assert not [thread for thread in threading.enumerate() if thread.name == "sampler"]
