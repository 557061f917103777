"""Routing: every subscriber hears every event, a failing one holds up nobody."""

from contextlib import contextmanager, nullcontext
from datetime import timedelta
from unittest.mock import Mock

import psycopg
import pytest
import time_machine
from django.db import connection

from config.kernel.flow import clock, events, jobs, routing
from config.kernel.flow.errors import Conflict
from config.kernel.models import Event, Notification, RouteFailure
from config.kernel.plugins.contracts import subscribers

pytestmark = pytest.mark.django_db

STATUS = {"status": "healthy", "component": "database", "details": {}}


class Listener:
    """Remembers what it heard; refuses what `refuses` names, and any list that holds it."""

    def __init__(self, refuses=()):
        self.heard, self.calls, self.refuses = [], 0, set(refuses)

    def hear(self, heard):
        self.calls += 1
        for event in heard:
            if event.uid in self.refuses:
                raise ValueError("not this one")
        self.heard += [event.uid for event in heard]


@pytest.fixture
def listener():
    found = Listener()
    with subscribers.swapped("tests.listener", found):
        yield found


def publish(*uids):
    return [events.publish("system.status", data=STATUS, uid=uid) for uid in uids]


def test_subscribers_hear_a_list_once_and_the_events_are_routed(listener):
    publish("a", "b", "c")
    assert routing.route() == 3
    assert (listener.heard, listener.calls) == (["a", "b", "c"], 1)
    assert not Event.objects.filter(routed_at__isnull=True).exists()
    assert routing.route() == 0


def test_an_event_that_cannot_be_taken_steps_aside_and_gets_another_turn(listener):
    listener.refuses = {"b"}
    with time_machine.travel("2026-01-01T00:00:00+00:00", tick=False):
        publish("a", "b", "c")
        routing.route()
        failure = RouteFailure.objects.get()
        assert listener.heard == ["a", "c"]
        assert (failure.event.uid, failure.attempts) == ("b", 1)
        assert failure.next_attempt_at == clock.now() + timedelta(seconds=5)
        assert "not this one" in failure.error
    listener.refuses = set()
    with time_machine.travel("2026-01-01T00:00:06+00:00", tick=False):
        jobs.work("kernel.route_again")
    assert listener.heard == ["a", "c", "b"]
    assert not RouteFailure.objects.exists()


def test_after_the_last_turn_a_person_is_told(listener):
    listener.refuses = {"a"}
    [event] = publish("a")
    routing.route()
    RouteFailure.objects.update(attempts=9, next_attempt_at=clock.now())
    jobs.work("kernel.route_again")
    assert RouteFailure.objects.get().next_attempt_at is None
    assert Notification.objects.filter(subject=f"event:{event.uid}", channel="dashboard").count() == 1


def test_events_of_a_router_that_died_are_routed_at_once_and_in_order(listener):
    class Killed(BaseException):
        pass

    def die(heard):
        raise Killed

    publish("a", "b")
    with subscribers.swapped("tests.deadly", Mock(hear=die)), pytest.raises(Killed):
        routing.route()
    publish("c")
    listener.heard.clear()
    assert routing.route() == 3
    assert listener.heard == ["a", "b", "c"]


@pytest.mark.django_db(transaction=True)
def test_who_finds_another_process_routing_waits_for_it_a_moment(listener, monkeypatch):
    publish("a")
    with another_router(monkeypatch) as give_back:
        monkeypatch.setattr(routing.time, "sleep", lambda seconds: give_back())
        assert routing.route() == 1
    assert listener.heard == ["a"]


@pytest.mark.django_db(transaction=True)
def test_a_router_that_hangs_holds_up_nobody_for_long(listener, monkeypatch):
    pauses = []
    monkeypatch.setattr(routing.time, "sleep", pauses.append)
    publish("a")
    with another_router(monkeypatch):
        assert routing.route() == 0
    assert sum(pauses) < 1
    assert listener.heard == []
    assert routing.route() == 1


def test_no_event_steps_aside_because_the_database_went_away(listener, monkeypatch):
    listener.refuses = {"a"}
    publish("a", "b")
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    with pytest.raises(ValueError, match="not this one"):
        routing.route()
    monkeypatch.undo()
    assert not RouteFailure.objects.exists()
    listener.refuses = set()
    routing.route()
    assert listener.heard == ["a", "b"]


@contextmanager
def another_router(monkeypatch):
    """The lock held over another connection; SQLite, which has one process, is told so."""
    if connection.vendor == "postgresql":
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [routing.ROUTERS])
            yield lambda: other.execute("SELECT pg_advisory_unlock(%s)", [routing.ROUTERS])
            # Closing alone gives it back too, but only when the server has noticed.
            other.execute("SELECT pg_advisory_unlock_all()")
        return
    held = [True]

    def alone():
        if held:
            routing.time.sleep(0)
        return nullcontext(not held)

    with monkeypatch.context() as patched:
        patched.setattr(routing, "_alone", alone)
        yield held.clear


def test_large_events_are_handed_over_in_smaller_lists(listener, monkeypatch):
    monkeypatch.setattr(routing, "MOST_BYTES", 400)
    publish("a", "b", "c", "d")
    routing.route()
    assert listener.heard == ["a", "b", "c", "d"]
    assert listener.calls > 1


def test_rerouting_lets_everybody_hear_it_again(listener):
    [event] = publish("a")
    routing.route()
    events.reroute(event)
    routing.route()
    assert listener.heard == ["a", "a"]


def test_rerouting_while_it_is_being_routed_forgets_no_failure(listener):
    listener.refuses = {"a"}
    [event] = publish("a")
    impatient = Mock(hear=lambda heard: events.reroute(event))
    with subscribers.swapped("tests.listener_two", impatient):
        routing.route()
    assert RouteFailure.objects.get().subscriber == "tests.listener"


def test_routing_a_hundred_events_takes_a_handful_of_statements(listener, django_assert_max_num_queries):
    many = [events.Draft("kernel.nobody_listens", {}, source="inbound:test") for _ in range(100)]
    events.publish_many(many)
    routing.route()  # a process that begins reads who listens
    events.publish_many(many)
    with django_assert_max_num_queries(16):
        assert routing.route() == 100


def test_a_test_for_one_endpoint_is_not_routed_to_everybody():
    [event] = publish("a")
    Event.objects.update(routed_at=clock.now(), route_note=f"{events.FOR_ONE}wh_1")
    event.refresh_from_db()
    with pytest.raises(Conflict, match="one endpoint"):
        events.reroute(event)
    assert Event.objects.get().routed_at is not None
