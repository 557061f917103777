"""Publishing: stored once, checked, in the one envelope, with cause and hops."""

import orjson
import pytest
import time_machine
from django.db import connection

from config.kernel.flow import context, event_types, events
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import Event, EventType

pytestmark = pytest.mark.django_db

STATUS = {"status": "healthy", "component": "database", "details": {}}


def test_the_body_is_the_union_of_both_envelopes():
    with time_machine.travel("2026-01-31T12:00:00.25+00:00", tick=False):
        event = events.publish("system.status", data=STATUS)
    body = orjson.loads(bytes(event.body))
    assert body == {
        "event": "system.status",
        "eventType": "system.status",
        "eventId": event.uid,
        "timestamp": "2026-01-31T12:00:00.250Z",
        "data": STATUS,
    }
    assert event.uid.startswith("evt_")
    assert event.size == len(event.body)


def test_the_same_id_again_gives_the_first_event():
    first = events.publish("system.status", data=STATUS, uid="order-1")
    again = events.publish_draft(events.Draft("system.status", {**STATUS, "status": "critical"}, uid="order-1"))
    assert again.event == first
    assert not again.is_new
    assert Event.objects.get(uid="order-1").data["status"] == "healthy"


def test_an_id_with_a_full_stop_is_refused():
    with pytest.raises(InvalidInput, match="letters, digits"):
        events.publish("system.status", data=STATUS, uid="a.b")


def test_an_unknown_type_is_refused_by_name():
    with pytest.raises(InvalidInput, match=r"nope\.x"):
        events.publish("nope.x", data={})


def test_data_that_do_not_fit_the_schema_are_refused_with_the_place():
    EventType.objects.create(name="order.paid", schema={"type": "object", "properties": {"amount": {"type": "number"}}})
    with pytest.raises(InvalidInput, match=r"data\.amount"):
        events.publish("order.paid", data={"amount": "ten"})


def test_a_schema_that_points_outside_is_refused():
    with pytest.raises(ValueError, match=r"schema\.json"):
        event_types.compile_schema({"$ref": "http://127.0.0.1:1/schema.json"})


def test_an_event_from_outside_makes_its_type_on_first_sight():
    event = events.publish("github.star", data={"a": 1}, source="inbound:github")
    assert EventType.objects.get(name="github.star").origin == EventType.Origin.INBOUND
    assert events.origin_of(event) == EventType.Origin.INBOUND


def test_raw_data_stay_byte_for_byte():
    raw = b'{ "b":1.0,  "a":"\\u00e9" }'
    event = events.publish("github.star", data=None, raw=raw, source="inbound:github")
    assert raw in bytes(event.body)


def test_many_get_a_result_each_and_one_refusal_stops_nobody():
    done = events.publish_many(
        [events.Draft("system.status", STATUS, uid="a"), events.Draft("nope.x", {}), events.Draft("system.status", STATUS, uid="a")]
    )
    assert [(one.event is not None, one.is_new) for one in done] == [(True, True), (False, False), (True, False)]
    assert Event.objects.count() == 1


def test_what_an_event_causes_carries_its_correlation_id_and_one_hop_more():
    first = events.publish("system.status", data=STATUS, correlation_id="abc")
    with events.handling(first):
        second = events.publish("system.status", data=STATUS)
    assert (second.cause_uid, second.hops, second.correlation_id) == (first.uid, 1, "abc")


def test_past_the_hop_limit_an_event_is_stored_but_not_routed():
    with context.using(cause_uid="evt_x", hops=8):
        event = events.publish("system.status", data=STATUS)
    assert event.routed_at is not None
    assert "limit is 8" in event.route_note


@pytest.mark.parametrize(
    ("patterns", "name", "origin", "wanted"),
    [
        (["video.processed"], "video.processed", "catalogue", True),
        (["video.processed"], "video.completed", "catalogue", False),
        (["video.*"], "video.completed", "catalogue", True),
        (["video.*"], "videos.x", "catalogue", False),
        (["*"], "video.completed", "catalogue", True),
        (["*"], "github.push", "inbound", False),
        (["github.*"], "github.push", "inbound", True),
        (["*"], "endpoint.paused", "catalogue", False),
        (["*"], "delivery.dead", "catalogue", False),
        (["endpoint.*"], "endpoint.paused", "catalogue", True),
    ],
)
def test_subscriptions_take_names_prefixes_and_a_star(patterns, name, origin, wanted):
    assert events.matches(patterns, name, origin=origin) is wanted


def test_a_uid_has_one_index_alone():
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Event._meta.db_table)
    assert len([name for name, one in found.items() if one["columns"] == ["uid"]]) == 1
