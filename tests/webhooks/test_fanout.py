"""Who gets which event, and why the others do not."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext

from config.kernel.flow import clock, events
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import Event
from config.kernel.plugins.contracts import subscribers
from tests.support.factories import EndpointFactory, EventFactory
from webhooks import facade
from webhooks.models import Delivery, Endpoint, Skip
from webhooks.services import endpoints, fanout

pytestmark = pytest.mark.django_db


def heard(*found: Event) -> None:
    fanout.hear(list(found))


def receivers(event: Event) -> set[str]:
    return set(Delivery.objects.filter(event=event).values_list("endpoint__uid", flat=True))


def test_the_subscriber_is_registered() -> None:
    event = EventFactory()
    endpoint = EndpointFactory()
    subscribers.get("webhooks.fanout").hear([event])
    assert receivers(event) == {endpoint.uid}


def test_each_subscribed_endpoint_gets_one_delivery_due_now() -> None:
    exact, prefix = EndpointFactory(events=["order.placed"]), EndpointFactory(events=["order.*"])
    EndpointFactory(events=["video.failed"])
    event = EventFactory(type="order.placed", correlation_id="c-1")
    heard(event)
    assert receivers(event) == {exact.uid, prefix.uid}
    delivery = Delivery.objects.get(endpoint=exact)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at <= clock.now()
    assert (delivery.status, delivery.correlation_id) == ("pending", "c-1")


def test_hearing_twice_changes_nothing() -> None:
    EndpointFactory()
    EndpointFactory(filter_conditions={"x": 1})
    event = EventFactory()
    heard(event)
    heard(event)
    assert (Delivery.objects.count(), Skip.objects.count()) == (1, 1)


def test_an_endpoint_enabled_while_it_hears_loses_nothing() -> None:
    endpoint = EndpointFactory(status="disabled", disabled_at=clock.now())
    event = EventFactory()

    def enable_once_it_was_read(**_: Any) -> None:
        Endpoint.objects.filter(pk=endpoint.pk).update(status="active")

    post_init.connect(enable_once_it_was_read, sender=Endpoint)
    try:
        heard(event)
    finally:
        post_init.disconnect(enable_once_it_was_read, sender=Endpoint)
    assert (receivers(event), Skip.objects.count()) == ({endpoint.uid}, 0)


def test_an_ordering_value_that_no_database_takes_stops_nobody() -> None:
    ordered, other = EndpointFactory(ordering_key="user"), EndpointFactory()
    event = EventFactory(data={"user": "a\0b"})
    heard(event)
    assert receivers(event) == {ordered.uid, other.uid}
    assert "\0" not in Delivery.objects.get(endpoint=ordered).ordering_value


@pytest.mark.parametrize(
    ("type", "source", "expected"),
    [
        ("order.placed", "system", True),
        ("github.push", "inbound:github", False),
        ("delivery.dead", "system", False),
        ("endpoint.paused", "system", False),
    ],
)
def test_the_star_means_all_but_inbound_and_our_own_news(type: str, source: str, expected: bool) -> None:
    endpoint = EndpointFactory(events=["*"])
    event = EventFactory(type=type, source=source)
    heard(event)
    assert (receivers(event) == {endpoint.uid}) is expected


def test_inbound_events_reach_those_who_name_them() -> None:
    endpoint = EndpointFactory(events=["github.*"])
    event = EventFactory(type="github.push", source="inbound:github")
    heard(event)
    assert receivers(event) == {endpoint.uid}


def test_a_filtered_event_leaves_its_reason_and_no_delivery() -> None:
    endpoint = EndpointFactory(filter_conditions={"video_duration": {"$lt": 3600}})
    event = EventFactory(data={"video_duration": 4000})
    heard(event)
    assert not Delivery.objects.exists()
    skip = Skip.objects.get()
    assert (skip.endpoint_id, skip.reason, skip.detail) == (endpoint.pk, "filter", "filter on video_duration")


def test_a_paused_endpoint_is_owed_its_deliveries() -> None:
    endpoint = EndpointFactory(status="paused")
    event = EventFactory()
    heard(event)
    assert receivers(event) == {endpoint.uid}


def test_a_disabled_endpoint_is_skipped_with_a_note() -> None:
    EndpointFactory(status="disabled")
    heard(EventFactory())
    assert Skip.objects.get().reason == "disabled"
    assert not Delivery.objects.exists()


def test_a_deleted_endpoint_hears_nothing() -> None:
    EndpointFactory(deleted_at=clock.now())
    heard(EventFactory())
    assert not Delivery.objects.exists()
    assert not Skip.objects.exists()


def test_a_filter_that_cannot_be_used_stops_its_own_endpoint_only() -> None:
    broken, good = EndpointFactory(filter_conditions={"x": {"$foo": 1}}), EndpointFactory()
    event = EventFactory()
    heard(event)
    assert receivers(event) == {good.uid}
    assert "$foo" in Skip.objects.get(endpoint=broken).detail


def test_the_ordering_value_is_read_from_the_data() -> None:
    EndpointFactory(ordering_key="customer.id")
    found = [
        EventFactory(data=data)
        for data in ({"customer": {"id": "c7"}}, {"customer": {"id": 7}}, {"customer": None}, {"customer": {"id": "x" * 300}})
    ]
    heard(*found)
    assert [one.ordering_value for one in Delivery.objects.order_by("id")] == ["c7", "7", "", "x" * 200]


def test_deliveries_are_made_in_the_order_of_the_events() -> None:
    EndpointFactory()
    found = [EventFactory() for _ in range(5)]
    heard(*found)
    assert list(Delivery.objects.order_by("id").values_list("event_id", flat=True)) == [event.pk for event in found]


def test_a_schedule_may_begin_with_a_wait() -> None:
    EndpointFactory(retry_strategy="schedule", retry_schedule=[30, 60])
    heard(EventFactory())
    delivery = Delivery.objects.get()
    assert delivery.next_attempt_at == delivery.created_at + timedelta(seconds=30)


def test_a_hundred_events_cost_few_statements() -> None:
    EndpointFactory()
    EndpointFactory(filter_conditions={"number": {"$gt": 5}})
    found = [EventFactory() for _ in range(100)]
    with CaptureQueriesContext(connection) as queries:
        heard(*found)
    assert Delivery.objects.count() == 100
    assert Skip.objects.count() == 100
    inserts = [one["sql"] for one in queries if one["sql"].startswith("INSERT")]
    # SQLite takes at most 999 values a statement, so that it needs a few more.
    assert len(inserts) <= (4 if connection.vendor == "sqlite" else 2)
    assert len(queries) - len(inserts) == 1


def test_fanning_out_decrypts_no_secret() -> None:
    EndpointFactory()
    event = EventFactory()
    with CaptureQueriesContext(connection) as queries:
        heard(event)
    assert not any("secret" in one["sql"] for one in queries)


def dead_of(endpoint: Endpoint, event_type: str) -> Event:
    data = {"delivery_id": "dlv_1", "endpoint_id": endpoint.uid, "event_id": "evt_1", "event_type": event_type, "attempts": 4}
    return EventFactory(type="delivery.dead", source="system", data=data)


def test_news_of_a_dead_delivery_do_not_go_where_it_died() -> None:
    died, watcher = EndpointFactory(events=["delivery.*"]), EndpointFactory(events=["delivery.dead"])
    event = dead_of(died, "order.placed")
    heard(event)
    assert receivers(event) == {watcher.uid}


def test_news_of_dead_news_go_to_nobody() -> None:
    died = EndpointFactory(events=["delivery.*"])
    EndpointFactory(events=["delivery.*"])
    event = dead_of(died, "delivery.dead")
    heard(event)
    assert receivers(event) == set()


def test_triggering_answers_with_the_deliveries_it_caused() -> None:
    wanted = EndpointFactory(events=["system.status"])
    EndpointFactory(events=["system.status"], filter_conditions={"test": False})
    EndpointFactory(events=["video.failed"])
    found = facade.trigger_event(facade.WebhookEvent.SYSTEM_STATUS, {"test": True, "message": "Test webhook delivery"})
    assert found == [Delivery.objects.get(endpoint=wanted).uid]


@pytest.mark.parametrize(
    ("type", "data"), [("nope.x", {}), ("transcription.completed", {"transcript": "x"}), ("video.failed", {"videoId": "v"})]
)
def test_triggering_refuses_what_the_catalogue_refuses(type: str, data: Any) -> None:
    with pytest.raises(InvalidInput):
        fanout.trigger(type, data)
    assert not Event.objects.exists()


def test_the_same_id_again_causes_nothing_new() -> None:
    EndpointFactory()
    event = {"eventType": "video.failed", "eventId": "evt_mine", "data": {"videoId": "v", "error": {"message": "m"}}}
    assert facade.trigger_webhook(event) == facade.trigger_webhook(event)
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.parametrize("wanted", list(facade.WebhookEvent))
def test_each_of_the_sixteen_events_is_known_and_its_example_fits(wanted: facade.WebhookEvent) -> None:
    assert events.check(wanted.value, fanout.test_data(wanted.value)) == []


@pytest.mark.parametrize(
    ("type", "data", "missing"),
    [
        ("transcription.completed", {"transcript": "t", "quality_score": 1, "processing_time": 1.5}, "video_id"),
        ("transcription.failed", {"video_id": "v", "retry_count": 1}, "error"),
        ("summarization.completed", {"video_id": "v", "summary": "s", "key_points": "one", "processing_time": 1}, "key_points"),
        ("summarization.failed", {"error": "e", "retry_count": 0}, "video_id"),
        ("youtube.failed", {"videoId": "v", "channelName": "c", "error": {}}, "message"),
    ],
)
def test_the_schemas_refuse_what_the_requirements_say(type: str, data: Any, missing: str) -> None:
    assert missing in " ".join(events.check(type, data))


def test_explain_says_why_with_the_values_of_the_filter() -> None:
    event = EventFactory(data={"amount": 50})
    filtered = fanout.explain(event, EndpointFactory(filter_conditions={"amount": {"$gt": 100}}))
    assert (filtered.would_deliver, filtered.reason) == (False, "filter")
    assert "amount $gt 100: 50, does not hold" in filtered.detail
    assert fanout.explain(event, EndpointFactory(filter_conditions={"amount": {"$gt": 1}})).would_deliver
    assert fanout.explain(event, EndpointFactory(events=["video.failed"])).reason == "not_subscribed"
    assert fanout.explain(event, EndpointFactory(status="disabled")).reason == "disabled"
    paused = fanout.explain(event, EndpointFactory(status="paused"))
    assert (paused.would_deliver, paused.reason) == (True, "paused")


def test_explain_says_when_an_event_was_never_routed() -> None:
    event = EventFactory(route_note="stopped: 9 events in a chain, the limit is 8")
    assert fanout.explain(event, EndpointFactory()).reason == "not_routed"


def test_the_facade_registers_lists_and_deletes() -> None:
    config = facade.WebhookConfig(
        url="https://app.example.com/hook",
        events=[facade.WebhookEvent.VIDEO_PROCESSED],
        security_type=facade.WebhookSecurityType.HMAC_SHA256,
        timeout_seconds=30,
        retry_attempts=3,
        retry_delay_seconds=5,
        filter_conditions={"video_duration": {"$lt": 3600}, "processing_quality": {"$in": ["high", "premium"]}},
    )
    facade.register_webhook("mine", config=config)
    assert endpoints.retry_policy(Endpoint.living.get(uid="mine")).max_attempts == 4
    made = facade.WebhookService().register_webhook("https://b.example.com/", ["video.completed"], "short")
    assert endpoints.retry_policy(Endpoint.living.get(uid=made)).schedule == (0, 60, 300, 900, 3600)
    assert [one["webhookId"] for one in facade.list_webhooks()] == [made, "mine"]
    assert facade.delete_webhook("mine")
    assert [one["webhookId"] for one in facade.list_webhooks()] == [made]
