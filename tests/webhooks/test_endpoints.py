"""What is done to endpoints, and what it leaves behind: the change, its record, its event, all or none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput
from config.kernel.limits import breaker
from config.kernel.models import AuditRecord, Event, Notification
from config.kernel.wire import signing
from tests.support.factories import AttemptFactory, DeliveryFactory, EndpointFactory, EventFactory, SkipFactory, SourceFactory
from webhooks.models import Delivery, Endpoint, Skip
from webhooks.services import endpoints, judgement, stats

pytestmark = pytest.mark.django_db
URL = "https://app.example.com/hook"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def register(**fields: Any) -> endpoints.Registered:
    return endpoints.register(**{"url": URL, "events": ["system.status"], **fields})


def refused(**fields: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as error:
        register(**fields)
    return error.value.fields


def test_registering_leaves_a_row_a_record_and_an_event() -> None:
    made = register(uid="my_app_webhook")
    assert Endpoint.living.get(uid="my_app_webhook").url == URL
    assert AuditRecord.objects.filter(action="endpoint.created", subject="endpoint:my_app_webhook").count() == 1
    event = Event.objects.get(type="endpoint.created")
    assert event.data["endpoint_id"] == "my_app_webhook"
    assert made.secret not in bytes(event.body).decode() + str(AuditRecord.objects.get().detail)


def test_without_an_id_one_is_made() -> None:
    assert register().endpoint.uid.startswith("wh_")


def test_a_living_id_is_a_conflict_and_a_deleted_one_is_free_again() -> None:
    first = register(uid="mine").endpoint
    with pytest.raises(Conflict, match="'mine' already"):
        register(uid="mine")
    endpoints.delete(first)
    assert register(uid="mine").endpoint.pk != first.pk


@pytest.mark.parametrize("uid", ["system", "test", "github", "register", "a b", "ü", "a" * 65, "a/b"])
def test_ids_that_would_hide_or_break_a_route_are_refused(uid: str) -> None:
    assert "id" in refused(uid=uid)


@pytest.mark.parametrize(
    ("events", "named"),
    [
        (["nope.x"], "nope.x"),
        ([], "at least one"),
        (["nope.*"], "nope."),
        (["video"], "video"),
        (["*.failed"], "*.failed"),
        ("*", "at least one"),
    ],
)
def test_unknown_events_are_refused_by_name(events: Any, named: str) -> None:
    assert named in refused(events=events)["events"][0]


@pytest.mark.parametrize("events", [["*"], ["video.*"], ["video.completed", "youtube.failed"]])
def test_known_events_and_patterns_are_taken(events: list[str]) -> None:
    assert register(events=events).endpoint.events == events


def test_events_of_a_source_may_be_named_before_the_first_has_come() -> None:
    SourceFactory(slug="shop")
    assert register(events=["shop.*", "shop.order_paid"]).endpoint.events == ["shop.*", "shop.order_paid"]


@pytest.mark.parametrize(
    "url", ["http://app.example.com/x", "https://127.0.0.1/x", "https://[::1]/x", "ftp://x", "", "https://u:p@example.com/"]
)
def test_urls_that_may_not_be_called_are_refused(url: str) -> None:
    assert "url" in refused(url=url)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeout_seconds", 301),
        ("timeout_seconds", 0),
        ("timeout_seconds", "5"),
        ("max_attempts", 0),
        ("retry_base_seconds", -1),
        ("retry_strategy", "random"),
        ("retry_strategy", "schedule"),
        ("retry_schedule", [0, -1]),
        ("retry_schedule", "0,60"),
        ("retry_jitter", 1.5),
        ("retry_jitter", True),
        ("batch_size", 0),
        ("batch_size", None),
        ("batch_enabled", "yes"),
        ("batch_max_wait_seconds", 4000),
        ("rate_per_minute", 0),
        ("max_in_flight", 0),
        ("auto_disable_days", 400),
        ("security", "magic"),
        ("filter_conditions", {"x": {"$foo": 1}}),
        ("headers", {"webhook-id": "x"}),
        ("ordering_key", "a" * 201),
        ("description", 7),
        ("secret", "whsec_short"),
        ("secret", "line\nbreak"),
        ("secret", "a" * 301),
        ("colour", "red"),
    ],
)
def test_each_field_is_checked_and_named(field: str, value: Any) -> None:
    assert field in refused(**{field: value})


def test_nothing_is_stored_when_something_is_refused() -> None:
    refused(timeout_seconds=0)
    assert not Endpoint.objects.exists()
    assert not Event.objects.exists()


def test_the_longest_timeout_is_a_live_option() -> None:
    options.set("WEBHOOK_MAX_TIMEOUT", 10)
    assert "timeout_seconds" in refused(timeout_seconds=11)
    assert register(timeout_seconds=10).endpoint.timeout_seconds == 10


def test_open_endpoints_are_refused_unless_the_option_allows_them() -> None:
    assert "security" in refused(security="none")
    options.set("REQUIRE_WEBHOOK_AUTH", False)
    made = register(security="none")
    assert made.secret == ""


def test_made_secrets_differ_and_have_the_configured_length() -> None:
    options.set("WEBHOOK_SECRET_LENGTH", 64)
    first, second = register().secret, register().secret
    assert first != second
    assert first.startswith("whsec_")
    assert len(signing.secret_bytes(first)) == 64


def test_the_secret_is_encrypted_at_rest() -> None:
    made = register(secret="hunter2", headers={"X-Key": "hunter2"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, headers FROM webhooks_endpoint WHERE id = %s", [made.endpoint.pk])
        assert "hunter2" not in str(cursor.fetchone())
    assert Endpoint.objects.get(pk=made.endpoint.pk).secret == "hunter2"


def test_the_schedule_of_the_second_source_gives_five_attempts() -> None:
    made = register(retry_schedule=[0, 60, 300, 900, 3600]).endpoint
    policy = endpoints.retry_policy(made)
    assert (policy.strategy, policy.max_attempts) == ("schedule", 5)


def test_an_endpoint_without_own_numbers_follows_the_options() -> None:
    endpoint = register().endpoint
    assert (endpoints.retry_policy(endpoint).max_attempts, endpoints.retry_policy(endpoint).base_seconds) == (4, 5)
    assert endpoints.timeout_seconds(endpoint) == 30
    options.set("WEBHOOK_DEFAULT_RETRIES", 1)
    options.set("WEBHOOK_DEFAULT_TIMEOUT", 7)
    assert endpoints.retry_policy(endpoint).max_attempts == 2
    assert endpoints.timeout_seconds(endpoint) == 7


def test_an_update_names_what_changed_and_the_next_event_follows_it() -> None:
    endpoint = register().endpoint
    endpoints.update(endpoint, events=["video.failed"], timeout_seconds=9)
    assert Endpoint.objects.get(pk=endpoint.pk).events == ["video.failed"]
    assert Event.objects.get(type="endpoint.updated").data["changed"] == ["events", "timeout_seconds"]


def test_an_update_that_changes_nothing_says_nothing() -> None:
    endpoint = register().endpoint
    endpoints.update(endpoint, events=["system.status"])
    assert not Event.objects.filter(type="endpoint.updated").exists()


def test_a_refused_update_leaves_the_row_alone() -> None:
    endpoint = register().endpoint
    with pytest.raises(InvalidInput):
        endpoints.update(endpoint, events=["nope.x"], timeout_seconds=9)
    assert Endpoint.objects.get(pk=endpoint.pk).timeout_seconds is None


def test_a_new_url_starts_with_a_clean_record() -> None:
    endpoint = EndpointFactory(failing_since=START, breaker_open_until=clock.now() + timedelta(minutes=1))
    breaker.failed(endpoint.breaker_key, threshold=1)
    endpoints.update(endpoint, url="https://other.example.com/hook")
    endpoint.refresh_from_db()
    assert (endpoint.failing_since, endpoint.breaker_open_until, endpoints.circuit_state(endpoint)) == (None, None, "closed")


def test_pausing_and_resuming_are_told_once_each() -> None:
    endpoint = register().endpoint
    assert [endpoints.pause(endpoint, reason="maintenance"), endpoints.pause(endpoint)] == [True, False]
    assert Endpoint.objects.get(pk=endpoint.pk).status_reason == "maintenance"
    assert [endpoints.resume(endpoint), endpoints.resume(endpoint)] == [True, False]
    assert Event.objects.filter(type__in=["endpoint.paused", "endpoint.resumed"]).count() == 2


def test_resuming_does_not_enable() -> None:
    endpoint = register().endpoint
    endpoints.disable(endpoint)
    assert not endpoints.resume(endpoint)
    assert Endpoint.objects.get(pk=endpoint.pk).status == "disabled"


def test_an_automatic_disabling_tells_people() -> None:
    endpoint = register().endpoint
    endpoints.disable(endpoint, reason="It answered 410.", is_automatic=True)
    assert "410" in Notification.objects.get(channel="dashboard").message


def test_enabling_catches_up_on_what_was_skipped_meanwhile() -> None:
    endpoint = register().endpoint
    endpoints.disable(endpoint)
    missed = SkipFactory(endpoint=endpoint, reason="disabled")
    SkipFactory(endpoint=endpoint, reason="filter")
    assert endpoints.enable(endpoint)
    assert list(Delivery.objects.values_list("event", "status")) == [(missed.event_id, "pending")]
    assert Skip.objects.filter(reason="disabled").count() == 0
    assert Event.objects.get(type="endpoint.enabled").data["caught_up"] == 1


def test_what_was_missed_in_an_earlier_disabling_stays_missed() -> None:
    endpoint = register().endpoint
    SkipFactory(endpoint=endpoint, reason="disabled", created_at=clock.now() - timedelta(days=1))
    endpoints.disable(endpoint)
    endpoints.enable(endpoint)
    assert not Delivery.objects.exists()


def test_enabling_without_catching_up_gives_up_what_was_open() -> None:
    endpoint = register().endpoint
    DeliveryFactory(endpoint=endpoint)
    endpoints.disable(endpoint)
    SkipFactory(endpoint=endpoint, reason="disabled")
    endpoints.enable(endpoint, catch_up=False)
    assert [one.status for one in Delivery.objects.all()] == ["cancelled"]


def test_enabling_closes_the_breaker_and_ends_the_countdown() -> None:
    endpoint = EndpointFactory(status="disabled", disabled_at=clock.now(), failing_since=clock.now())
    breaker.failed(endpoint.breaker_key, threshold=1)
    endpoints.enable(endpoint)
    assert endpoints.circuit_state(endpoint) == "closed"
    assert judgement.disables_at(endpoint) is None


def test_a_rotated_secret_signs_beside_the_old_one_until_the_overlap_ends() -> None:
    with time_machine.travel(START, tick=False):
        endpoint = register(secret="old secret").endpoint
        new = endpoints.rotate_secret(endpoint, overlap_hours=2)
    stored = Endpoint.objects.get(pk=endpoint.pk)
    during = endpoints.credentials(stored, now=START + timedelta(hours=1, minutes=59))
    assert (during.secret, during.old_secrets) == (new, ("old secret",))
    assert endpoints.credentials(stored, now=START + timedelta(hours=2)).old_secrets == ()


def test_rotating_twice_keeps_both_old_secrets_signing() -> None:
    endpoint = register(secret="first").endpoint
    endpoints.rotate_secret(endpoint, secret="second")
    endpoints.rotate_secret(endpoint, secret="third")
    assert endpoints.credentials(Endpoint.objects.get(pk=endpoint.pk), now=clock.now()).old_secrets == ("second", "first")


def test_a_rotation_without_overlap_ends_the_old_secret_at_once() -> None:
    endpoint = register(secret="first").endpoint
    endpoints.rotate_secret(endpoint, overlap_hours=0)
    assert endpoints.credentials(endpoint, now=clock.now()).old_secrets == ()


def test_a_rotation_is_recorded_without_the_secret() -> None:
    endpoint = register(secret="first secret").endpoint
    new = endpoints.rotate_secret(endpoint)
    record = AuditRecord.objects.get(action="endpoint.secret_rotated")
    said = str(record.detail) + bytes(Event.objects.get(type="endpoint.secret_rotated").body).decode()
    assert new not in said
    assert "first secret" not in said


def test_a_secret_sent_with_an_update_is_a_rotation() -> None:
    endpoint = register(secret="first").endpoint
    endpoints.update(endpoint, secret="second")
    assert endpoints.credentials(Endpoint.objects.get(pk=endpoint.pk), now=clock.now()).old_secrets == ("first",)


def test_a_token_must_be_able_to_travel_in_a_header() -> None:
    assert "secret" in refused(security="bearer_token", secret="two words")
    assert register(security="bearer_token", secret="one-word").secret == "one-word"


def test_asymmetric_endpoints_have_a_public_key() -> None:
    endpoint = register(asymmetric=True).endpoint
    assert endpoints.public_key(Endpoint.objects.get(pk=endpoint.pk)).startswith("whpk_")
    endpoints.update(endpoint, asymmetric=False)
    assert endpoints.public_key(Endpoint.objects.get(pk=endpoint.pk)) == ""


def test_a_deleted_endpoint_gets_nothing_more_and_forgets_its_secrets() -> None:
    endpoint = register(headers={"X-Key": "k"}).endpoint
    open_one, ended = DeliveryFactory(endpoint=endpoint), DeliveryFactory(endpoint=endpoint, ended="delivered")
    assert endpoints.delete(endpoint)
    assert not endpoints.delete(endpoint)
    assert not Endpoint.living.filter(pk=endpoint.pk).exists()
    assert list(Delivery.objects.order_by("id").values_list("pk", "status")) == [(open_one.pk, "cancelled"), (ended.pk, "delivered")]
    stored = Endpoint.objects.get(pk=endpoint.pk)
    assert not stored.secret
    assert not stored.headers


def test_a_test_event_reaches_this_endpoint_alone() -> None:
    wanted, other = EndpointFactory(events=["video.failed"]), EndpointFactory(events=["*"])
    delivery = endpoints.send_test(wanted)
    assert delivery.event.data == {"test": True}
    assert Event.objects.get(pk=delivery.event_id).routed_at is not None
    assert not other.deliveries.exists()


def test_a_test_event_of_another_type_sends_its_example() -> None:
    assert endpoints.send_test(EndpointFactory(), type="video.failed").event.data["error"]["code"] == "no_clip"


def test_a_disabled_endpoint_cannot_be_tested() -> None:
    with pytest.raises(Conflict, match="disabled"):
        endpoints.send_test(EndpointFactory(status="disabled"))


def test_statistics_equal_the_rows() -> None:
    endpoint = EndpointFactory()
    EndpointFactory(status="paused")
    for _ in range(3):
        AttemptFactory(delivery=DeliveryFactory(endpoint=endpoint, ended="delivered"), duration_ms=100)
    AttemptFactory(delivery=DeliveryFactory(endpoint=endpoint, ended="dead"), duration_ms=500, status_code=500)
    AttemptFactory(delivery=DeliveryFactory(endpoint=endpoint), duration_ms=9000, status_code=None, error_code="timeout")
    DeliveryFactory(endpoint=endpoint, ended="cancelled")
    assert endpoints.stats() == {
        "active_webhooks": 1,
        "success_rate": 0.75,
        "pending_deliveries": 1,
        "dead_deliveries": 1,
        "average_response_time": pytest.approx(0.2),
    }
    assert stats.of_endpoint(endpoint) == {
        "delivered": 3,
        "dead": 1,
        "cancelled": 1,
        "pending": 1,
        "success_rate": 0.75,
        "average_response_time": pytest.approx(0.2),
    }


def test_statistics_of_nothing_are_numbers() -> None:
    assert endpoints.stats()["success_rate"] == 0.0
    assert endpoints.stats()["average_response_time"] == 0.0


def test_the_series_counts_deliveries_per_hour() -> None:
    event = EventFactory()
    for minutes in (0, 30, 61):
        DeliveryFactory(event=event, endpoint=EndpointFactory(), ended="delivered", created_at=START + timedelta(minutes=minutes))
    found = stats.series(since=START, until=START + timedelta(hours=3), step="hour")
    assert [(point.at, point.delivered, point.dead) for point in found] == [(START, 2, 0), (START + timedelta(hours=1), 1, 0)]


def test_events_of_github_may_be_asked_for_before_the_first_one_came(settings: Any) -> None:
    settings.GITHUB_WEBHOOK_SECRET = "It's a Secret to Everybody"
    assert register(events=["github.*"]).endpoint.events == ["github.*"]
