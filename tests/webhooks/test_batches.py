"""Batches: an endpoint that asked for it gets several events in one request, in order, signed; retries send the same bytes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import time_machine

from config.kernel.flow import clock, routing
from config.kernel.models import Event
from tests.support import outbound, receivers
from webhooks.enums import DeliveryStatus
from webhooks.models import Batch, Delivery
from webhooks.services import deliveries, dispatch, endpoints, fanout
from webhooks.services.dispatch import batching, turns

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def moment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """Time stands still unless a test moves it; receivers on loopback may be called."""
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(turns, "_kept", None)
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def ids_in(request: receivers.Received) -> list[str]:
    return [event["eventId"] for event in orjson.loads(request.body)["data"]["events"]]


def test_250_events_are_three_requests_in_order_each_signed(moment: time_machine.Traveller) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True)
        wanted = [one.event.uid for one in outbound.deliveries(target, 250)]
        dispatch.drain()
        assert [len(ids_in(request)) for request in sink.requests] == [100, 100]
        moment.shift(5)
        dispatch.drain()
    assert [len(ids_in(request)) for request in sink.requests] == [100, 100, 50]
    assert [uid for request in sink.requests for uid in ids_in(request)] == wanted
    for request in sink.requests:
        envelope = orjson.loads(request.body)
        assert (envelope["event"], envelope["eventType"]) == ("events.batch", "events.batch")
        assert envelope["eventId"] == request.headers["webhook-id"]
        assert outbound.verifies(request.headers, request.body)
    assert set(Delivery.objects.values_list("status", "attempt_count", "finished_at")) == {("delivered", 1, NOW)} | {
        ("delivered", 1, NOW + timedelta(seconds=5))
    }


def test_a_few_events_wait_for_the_longest_wait_and_no_longer(moment: time_machine.Traveller) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True)
        outbound.deliveries(target, 3)
        assert dispatch.due_count(NOW) == 0
        assert dispatch.drain() == 0
        assert dispatch.next_due_at(NOW) == NOW + timedelta(seconds=5)
        moment.shift(5)
        assert dispatch.due_count(clock.now()) == 1
        assert dispatch.drain() == 1
    assert [len(ids_in(request)) for request in sink.requests] == [3]


def test_an_endpoint_that_did_not_ask_gets_one_request_per_event() -> None:
    with receivers.ok() as sink:
        outbound.deliveries(outbound.endpoint(sink.url), 3)
        dispatch.drain()
    assert len(sink.requests) == 3


def test_a_retry_sends_the_same_bytes_and_the_members_share_its_fate(moment: time_machine.Traveller) -> None:
    with receivers.failing(1) as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2)
        outbound.deliveries(target, 2)
        dispatch.drain()
        assert set(Delivery.objects.values_list("status", "attempt_count", "next_attempt_at")) == {
            ("retrying", 1, NOW + timedelta(seconds=5))
        }
        outbound.deliveries(target, 1)
        moment.shift(5)
        dispatch.drain()
    first, second, third = sink.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"] != third.headers["webhook-id"]
    assert len(ids_in(third)) == 1
    assert list(Batch.objects.order_by("id").values_list("status", "attempt_count")) == [("delivered", 2), ("delivered", 1)]
    assert list(Delivery.objects.order_by("id").values_list("status", "attempt_count")) == [("delivered", 2)] * 2 + [("delivered", 1)]


def test_the_attempt_belongs_to_the_batch() -> None:
    with receivers.ok() as sink:
        outbound.deliveries(outbound.endpoint(sink.url, batch_enabled=True, batch_size=2), 2)
        dispatch.drain()
    batch = Batch.objects.get()
    assert batch.attempts.get().delivery_id is None
    assert list(batch.deliveries.order_by("id").values_list("batch_position", flat=True)) == [0, 1]


def test_a_dead_batch_makes_dead_letters_of_its_members_and_one_sent_again_leaves_it(moment: time_machine.Traveller) -> None:
    with receivers.failing(1) as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2, max_attempts=1)
        first, second = outbound.deliveries(target, 2)
        dispatch.drain()
        assert set(Delivery.objects.values_list("status", flat=True)) == {"dead"}
        assert deliveries.redeliver(Delivery.objects.get(pk=second.pk))
        moment.shift(5)
        dispatch.drain()
    assert ids_in(sink.requests[1]) == [second.event.uid]
    assert [Delivery.objects.get(pk=one.pk).status for one in (first, second)] == ["dead", "delivered"]


def test_a_batch_never_grows_past_what_a_request_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_max_wait_seconds=0)
        [size, *_] = [one.event.size for one in outbound.deliveries(target, 5)]
        monkeypatch.setattr(batching, "MOST_BYTES", 2 * size + 1)
        dispatch.drain()
    assert [len(ids_in(request)) for request in sink.requests] == [2, 2, 1]


def test_a_paused_endpoint_gets_no_batch_and_a_deleted_one_never() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2)
        outbound.deliveries(target, 2)
        batching.freeze(target, now=NOW)
        endpoints.pause(target)
        assert dispatch.drain() == 0
        endpoints.resume(target)
        endpoints.delete(target)
        assert dispatch.drain() == 0
        assert sink.requests == []
    assert Batch.objects.get().status == DeliveryStatus.CANCELLED


def test_a_batch_whose_members_are_all_gone_is_cancelled() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2)
        outbound.deliveries(target, 2)
        batching.freeze(target, now=NOW)
        Delivery.objects.update(status="cancelled")
        assert dispatch.drain() == 0
        assert dispatch.drop_empty() == 1
    assert Batch.objects.get().status == DeliveryStatus.CANCELLED


def test_batches_that_keep_an_order_wait_for_each_other(moment: time_machine.Traveller) -> None:
    with receivers.failing(1) as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2, ordering_key="n")
        outbound.deliveries(target, 4, ordering_value="one")
        dispatch.drain()
        assert len(sink.requests) == 1
        moment.shift(5)
        dispatch.drain()
    assert [len(ids_in(request)) for request in sink.requests] == [2, 2, 2]
    assert sink.requests[0].body == sink.requests[1].body


def test_a_batch_that_keeps_an_order_waits_for_earlier_events_to_be_routed() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2, ordering_key="n")
        older, newer, newest = outbound.publish(3, data={"n": "one"})
        Event.objects.filter(pk=older.pk).update(routed_at=None)
        fanout.create_missing(target, [newer, newest])
        assert dispatch.drain() == 0
        routing.route()
        dispatch.drain()
    assert ids_in(sink.requests[0]) == [older.uid, newer.uid]


def test_what_was_frozen_goes_even_when_batching_was_turned_off() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, batch_enabled=True, batch_size=2)
        outbound.deliveries(target, 2)
        batching.freeze(target, now=NOW)
        endpoints.update(target, batch_enabled=False)
        outbound.deliveries(target, 1)
        dispatch.drain()
    assert sorted(request.headers["x-webhook-event"] for request in sink.requests) == ["events.batch", "system.status"]
