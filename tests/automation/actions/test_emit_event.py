"""The action emit_event: a real event, once, that fits its schema, one hop further."""

import pytest

from config.acts.plugins.actions import actions
from config.kernel.flow import events
from config.kernel.flow.outcomes import Done, Failed
from config.kernel.models import Event
from tests.support.deeds import perform
from tests.support.factories import EventFactory, EventTypeFactory

pytestmark = pytest.mark.django_db

KEY = "automation.emit_event"


@pytest.fixture
def order():
    return EventTypeFactory(name="order.shipped", schema={"type": "object", "required": ["order"]})


def test_the_event_is_stored_for_its_subscribers(order):
    done = perform(KEY, {"type": "order.shipped", "data": {"order": 7}, "subject": "order:7"}, id="inv_1")
    event = Event.objects.get()
    assert (event.type, event.subject, event.source, event.routed_at) == ("order.shipped", "order:7", "action:inv_1", None)
    assert event.data == {"order": 7}
    assert done == Done({"event": event.uid, "is_new": True, "hops": 0, "note": ""})


def test_a_call_that_is_started_again_publishes_nothing_twice(order):
    first = perform(KEY, {"type": "order.shipped", "data": {"order": 7}}, key="k1")
    again = perform(KEY, {"type": "order.shipped", "data": {"order": 7}}, key="k1")
    other = perform(KEY, {"type": "order.shipped", "data": {"order": 7}}, key="k2")
    assert (first.output["event"], False) == (again.output["event"], again.output["is_new"])
    assert other.output["is_new"]
    assert Event.objects.count() == 2


def test_data_that_do_not_fit_are_refused_with_the_reason(order):
    failed = perform(KEY, {"type": "order.shipped", "data": {}})
    assert isinstance(failed, Failed)
    assert "order" in failed.message
    assert not Event.objects.exists()


def test_an_unknown_type_is_refused():
    failed = perform(KEY, {"type": "no.such_thing"})
    assert "no.such_thing" in failed.message
    assert not Event.objects.exists()


def test_it_is_one_hop_further_than_its_cause(order):
    cause = EventFactory(hops=3)
    with events.handling(cause):
        done = perform(KEY, {"type": "order.shipped", "data": {"order": 1}})
    made = Event.objects.get(uid=done.output["event"])
    assert (made.hops, made.cause_uid, made.routed_at) == (4, cause.uid, None)


def test_past_the_limit_it_is_stored_and_heard_by_nobody(order):
    with events.handling(EventFactory(hops=8)):
        done = perform(KEY, {"type": "order.shipped", "data": {"order": 1}})
    made = Event.objects.get(uid=done.output["event"])
    assert made.routed_at is not None
    assert "limit" in done.output["note"]


def test_the_summary_says_what_is_published():
    assert actions.get(KEY).summary({"type": "a.done", "subject": "b:1"}) == "Publish a.done about b:1"
