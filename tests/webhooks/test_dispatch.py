"""Dispatch: what is due is delivered, tried again on time, and given up when it must be; a row never claims more than has happened."""

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.flow import clock, events, routing
from config.kernel.models import Event, Notification
from tests.support import outbound, receivers
from webhooks.enums import DeliveryStatus, EndpointStatus
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import deliveries, dispatch, endpoints, fanout
from webhooks.services.dispatch import pipeline, turns

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


def statuses(target: Endpoint) -> list[str]:
    return [str(status) for status in Delivery.objects.filter(endpoint=target).order_by("id").values_list("status", flat=True)]


def test_a_due_delivery_arrives_signed_and_is_recorded() -> None:
    with receivers.ok() as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url))
        assert dispatch.drain() == 1
    [request] = sink.requests
    assert request.body == bytes(delivery.event.body)
    assert request.headers["webhook-id"] == delivery.event.uid
    assert outbound.verifies(request.headers, request.body)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt_count, delivery.last_status_code) == ("delivered", 1, 200)
    assert (delivery.next_attempt_at, delivery.lease_token, delivery.finished_at) == (None, "", NOW)


def test_a_drain_that_stays_hears_of_a_wish_for_new_connections_before_it_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[int] = []
    with receivers.ok() as sink:
        monkeypatch.setattr(pipeline.connections, "renew", lambda: heard.append(len(sink.requests)))
        outbound.deliveries(outbound.endpoint(sink.url))
        dispatch.drain()
    assert heard[0] == 0


def test_an_attempt_keeps_what_was_said_but_no_secret() -> None:
    with receivers.ok(body=b"x" * 5000 + b"\0") as sink:
        target = outbound.endpoint(sink.url, security="bearer_token", secret="the-token-of-the-receiver", headers={"X-Team": "blue"})
        [delivery] = outbound.deliveries(target)
        dispatch.drain()
    attempt = Attempt.objects.get(delivery=delivery)
    assert (attempt.number, attempt.status_code, attempt.error_code, attempt.address) == (1, 200, "", "127.0.0.1")
    assert len(attempt.response_body) == 2048
    assert (attempt.request_headers["X-Team"], attempt.request_headers["Authorization"]) == ("********", "********")
    assert attempt.request_headers["webhook-id"] == delivery.event.uid
    assert sink.requests[0].headers["authorization"] == "Bearer the-token-of-the-receiver"
    assert sink.requests[0].headers["x-team"] == "blue"


@pytest.mark.parametrize("security", ["bearer_token", "hmac_sha256"])
def test_what_a_receiver_repeats_of_our_credentials_is_not_kept(security: str) -> None:
    def answer(receiver: receivers.Receiver, socket: Any, request: receivers.Received) -> bool:
        said = "; ".join([request.headers.get("authorization", ""), request.headers["x-functions-key"]])
        return receivers.answering(200, said.encode(), {"X-Echo": said})(receiver, socket, request)

    with receivers.serve(answer) as sink:
        own = {"X-Functions-Key": "a-key-that-opens-it"}
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url, security=security, secret="the-token-of-the-receiver", headers=own))
        dispatch.drain()
    attempt = delivery.attempts.get()
    kept = f"{attempt.response_body} {attempt.response_headers} {attempt.request_headers}"
    assert "********" in attempt.response_body
    assert "a-key-that-opens-it" not in kept
    assert "the-token-of-the-receiver" not in kept


def test_a_reply_that_no_database_takes_is_recorded_all_the_same() -> None:
    with receivers.ok(body=b"\0\xff\xed\xa0\x80 and \0") as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url))
        dispatch.drain()
    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    assert "and" in delivery.attempts.get().response_body


def test_a_failed_delivery_is_tried_again_with_the_same_id_and_body(moment: time_machine.Traveller) -> None:
    with receivers.failing(1) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url))
        dispatch.drain()
        delivery.refresh_from_db()
        assert (delivery.status, delivery.next_attempt_at) == ("retrying", NOW + timedelta(seconds=5))
        assert dispatch.drain() == 0
        moment.shift(5)
        dispatch.drain()
    first, second = sink.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert (first.headers["x-webhook-attempt"], second.headers["x-webhook-attempt"]) == ("1", "2")
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt_count) == ("delivered", 2)
    assert list(delivery.attempts.values_list("number", "status_code")) == [(1, 500), (2, 200)]


def test_the_schedule_of_five_attempts_is_kept(moment: time_machine.Traveller) -> None:
    with receivers.status(500) as sink:
        target = outbound.endpoint(
            sink.url, retry_strategy="schedule", retry_schedule=[0, 60, 300, 900, 3600], max_attempts=5, auto_disable_days=0
        )
        [delivery] = outbound.deliveries(target)
        gaps = []
        while dispatch.drain():
            delivery.refresh_from_db()
            if delivery.next_attempt_at:
                gaps.append((delivery.next_attempt_at - clock.now()).total_seconds())
                moment.move_to(delivery.next_attempt_at)
    assert gaps == [60, 300, 900, 3600]
    assert len(sink.requests) == 5
    assert (delivery.status, delivery.attempt_count, delivery.next_attempt_at) == ("dead", 5, None)


def test_a_dead_delivery_is_announced_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with receivers.status(500) as sink, caplog.at_level(logging.ERROR, "webhooks.dispatch"):
        target = outbound.endpoint(sink.url, max_attempts=1)
        first, second = outbound.deliveries(target, 2)
        dispatch.drain()
    lines = [one.context for one in caplog.records if one.message == "delivery.dead"]  # type: ignore[attr-defined]
    assert {line["eventId"] for line in lines} == {first.event.uid, second.event.uid}
    assert {(line["endpoint"], line["attempts"]) for line in lines} == {(target.uid, 1)}
    announced = Event.objects.filter(type="delivery.dead")
    assert {event.data["delivery_id"] for event in announced} == {first.uid, second.uid}
    assert {event.cause_uid for event in announced} == {first.event.uid, second.event.uid}
    assert Notification.objects.filter(subject=f"endpoint:{target.uid}").values("title").distinct().count() == 1


def test_the_notice_of_dead_letters_names_the_endpoint_as_people_do_and_masks_its_secrets() -> None:
    with receivers.status(500) as sink:
        target = outbound.endpoint(f"{sink.url}?token=let-me-in", description="Old billing server.", max_attempts=1)
        outbound.deliveries(target)
        dispatch.drain()
    notice = Notification.objects.get(channel="dashboard")
    assert notice.title == "Deliveries to Old billing server were given up"
    assert "let-me-in" not in notice.message


def test_a_redelivered_dead_letter_gets_all_its_attempts_anew() -> None:
    with receivers.failing(1) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url, max_attempts=1))
        dispatch.drain()
        delivery.refresh_from_db()
        assert deliveries.redeliver(delivery)
        dispatch.drain()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt_count, delivery.first_attempt_number) == ("delivered", 2, 1)
    assert {request.headers["webhook-id"] for request in sink.requests} == {delivery.event.uid}


def test_410_gives_up_and_disables_the_endpoint() -> None:
    with receivers.gone() as sink:
        target = outbound.endpoint(sink.url)
        outbound.deliveries(target)
        dispatch.drain()
    target.refresh_from_db()
    assert target.status == EndpointStatus.DISABLED
    assert "410" in target.status_reason
    assert statuses(target) == ["dead"]


def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    with receivers.ok() as inner, receivers.redirect(inner.url) as sink:
        target = outbound.endpoint(sink.url)
        outbound.deliveries(target)
        dispatch.drain()
        assert inner.requests == []
    assert statuses(target) == ["retrying"]


def test_a_row_changed_to_plain_http_is_refused_when_it_is_sent(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = False
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url)
        [delivery] = outbound.deliveries(target)
        dispatch.drain()
        assert sink.requests == []
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error_code) == ("dead", "blocked_url")
    target.refresh_from_db()
    assert target.failing_since is None


def test_nothing_goes_to_a_paused_a_disabled_or_a_deleted_endpoint() -> None:
    with receivers.ok() as sink:
        paused = outbound.endpoint(sink.url, status="paused")
        disabled = outbound.endpoint(sink.url, status="disabled")
        deleted = outbound.endpoint(sink.url, deleted_at=NOW)
        for target in (paused, disabled, deleted):
            outbound.deliveries(target)
        assert dispatch.due_count(NOW) == 0
        assert dispatch.drain() == 0
        endpoints.resume(paused)
        assert dispatch.drain() == 1
    assert len(sink.requests) == 1


def test_a_delivery_cancelled_under_way_stays_cancelled_and_its_attempt_is_kept() -> None:
    def answer(receiver: receivers.Receiver, socket: Any, request: receivers.Received) -> bool:
        return receivers.answering(200, b"")(receiver, socket, request)

    with receivers.serve(answer) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url))
        with _between_claim_and_record(lambda: deliveries.cancel(delivery)):
            dispatch.drain()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt_count, delivery.last_status_code) == ("cancelled", 1, 200)
    assert delivery.attempts.count() == 1


def test_what_is_claimed_again_while_its_request_is_open_is_not_sent_twice() -> None:
    """As after an outage of the database that outlasted the lease, and when somebody cancels and redelivers at once."""

    def answer(receiver: receivers.Receiver, socket: Any, request: receivers.Received) -> bool:
        if len(receiver.requests) == 1:
            again.set()
            assert claimed_again.wait(10)
        return receivers.answering(200, b"")(receiver, socket, request)

    again, claimed_again = threading.Event(), threading.Event()
    with receivers.serve(answer) as sink:
        target = outbound.endpoint(sink.url)
        [delivery] = outbound.deliveries(target)
        with _before_a_look(lambda: again.wait(10) and _cancel_and_redeliver(delivery), then=claimed_again.set):
            dispatch.drain()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempt_count, len(sink.requests)) == ("delivered", 1, 1)
    assert delivery.attempts.count() == 1


def test_a_lost_lease_never_overwrites_what_its_new_owner_wrote() -> None:
    with receivers.status(500) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url))
        taken = {"status": "delivered", "lease_token": "", "lease_until": None, "attempt_count": 1, "finished_at": NOW}
        with _between_claim_and_record(lambda: Delivery.objects.filter(pk=delivery.pk).update(**taken)):
            dispatch.drain()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_status_code) == ("delivered", None)
    assert delivery.attempts.get().status_code == 500


def test_rows_of_a_killed_worker_come_back_when_their_lease_ends(moment: time_machine.Traveller) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url)
        [delivery] = outbound.deliveries(target)
        ends_at = NOW + timedelta(seconds=15)
        Delivery.objects.filter(pk=delivery.pk).update(status=DeliveryStatus.SENDING, lease_token="of-the-dead", lease_until=ends_at)
        assert dispatch.drain() == 0
        assert dispatch.due_count(NOW) == 0
        moment.shift(16)
        assert dispatch.due_count(clock.now()) == 1
        assert dispatch.drain() == 1
    assert statuses(target) == ["delivered"]


def test_deliveries_with_one_ordering_value_go_one_after_another(moment: time_machine.Traveller) -> None:
    with receivers.failing(1) as sink:
        target = outbound.endpoint(sink.url, ordering_key="n")
        ordered = outbound.deliveries(target, 3, ordering_value="one")
        dispatch.drain()
        assert [request.headers["webhook-id"] for request in sink.requests] == [ordered[0].event.uid]
        assert statuses(target) == ["retrying", "pending", "pending"]
        moment.shift(5)
        dispatch.drain()
    assert [request.headers["webhook-id"] for request in sink.requests[1:]] == [one.event.uid for one in ordered]


def test_another_ordering_value_does_not_wait() -> None:
    with receivers.failing(1) as sink:
        target = outbound.endpoint(sink.url, ordering_key="n")
        outbound.deliveries(target, 1, ordering_value="one")
        dispatch.drain()
        outbound.deliveries(target, 1, ordering_value="two")
        dispatch.drain()
    assert statuses(target) == ["retrying", "delivered"]


def test_an_event_that_still_waits_to_be_routed_is_not_overtaken_by_a_later_one_of_its_key() -> None:
    """As what is triggered, which is fanned out at once, while a router that was killed left earlier events behind."""
    with receivers.ok() as sink:
        outbound.endpoint(f"{sink.url}/ordered", ordering_key="component")
        outbound.endpoint(sink.url)
        data = {"status": "degraded", "component": "one", "details": {}}
        first = events.publish("system.status", data=data)
        then = fanout.trigger_test("system.status", data).event
        assert dispatch.drain() == 1
        routing.route()
        dispatch.drain()
    arrived = [request.headers["webhook-id"] for request in sink.requests if request.path.endswith("ordered")]
    assert (sink.requests[0].path, arrived) == ("/hook", [first.uid, then.uid])


def test_the_order_is_that_of_the_events_whenever_their_deliveries_were_made() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, ordering_key="n")
        older, newer = outbound.publish(2, data={"n": "one"})
        fanout.create_missing(target, [newer])
        fanout.create_missing(target, [older])
        dispatch.drain()
    assert [request.headers["webhook-id"] for request in sink.requests] == [older.uid, newer.uid]


def test_a_hundred_deliveries_cost_few_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    # Patient, so that a slow machine does not look or record more often.
    monkeypatch.setattr(pipeline, "LOOK_SECONDS", 5)
    monkeypatch.setattr(pipeline, "GLANCE_SECONDS", 5)
    monkeypatch.setattr(pipeline, "GATHER_SECONDS", 5)
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, max_in_flight=100)
        outbound.deliveries(target, 100)
        with CaptureQueriesContext(connection) as found:
            assert dispatch.drain() == 100
    assert len(sink.requests) == 100
    counted = [one["sql"] for one in found if not one["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(counted) <= 15, "\n".join(counted)


def test_large_bodies_go_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from webhooks.services.dispatch import claiming

    monkeypatch.setattr(claiming, "LARGE_BYTES", 10)
    monkeypatch.setattr(claiming, "TOTAL_BYTES", 300)
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url)
        made = outbound.deliveries(target, 8)
        taken = claiming.claim(claiming.ready(clock.now()), token="t", room=100, retry_room=100, space=300)
        assert 1 <= len(taken) < 8
        assert sum(len(one.body) for one in taken[:-1]) < 300
        Delivery.objects.update(status="pending", lease_token="", lease_until=None)
        assert dispatch.drain() == 8
    assert {request.body for request in sink.requests} == {bytes(one.event.body) for one in made}


def test_connections_are_used_again() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, max_in_flight=2)
        outbound.deliveries(target, 50)
        dispatch.drain()
    assert len(sink.requests) == 50
    assert len(sink.peer_ports) <= 2


def test_a_limit_is_kept() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url)
        outbound.deliveries(target, 5)
        assert dispatch.drain(limit=2) == 2
    assert sorted(statuses(target)) == ["delivered"] * 2 + ["pending"] * 3


def test_an_endpoint_whose_secret_cannot_be_read_holds_up_nobody() -> None:
    with receivers.ok() as sink:
        broken, sound = outbound.endpoint(sink.url), outbound.endpoint(sink.url)
        outbound.deliveries(broken)
        outbound.deliveries(sound)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE webhooks_endpoint SET secret = 'gAAAAAunreadable' WHERE id = %s", [broken.pk])
        assert dispatch.drain() == 1
    assert statuses(sound) == ["delivered"]


def _cancel_and_redeliver(delivery: Delivery) -> None:
    assert deliveries.cancel(delivery)
    assert deliveries.redeliver(delivery)


class _before_a_look:
    """Runs a deed before the second look for work, and `then` after that look: a request of the first one is still open."""

    def __init__(self, deed: Any, *, then: Any) -> None:
        self.deed, self.then, self.looks = deed, then, 0
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        from webhooks.services.dispatch import claiming

        claim = claiming.claim

        def counted(*args: Any, **options: Any) -> Any:
            found = claim(*args, **options)
            if found and self.looks:
                self.then()
            self.looks += 1
            return found

        ready = claiming.ready

        def looked(now: Any) -> Any:
            if self.looks == 1:
                self.deed()
            return ready(now)

        self.patch.setattr(claiming, "claim", counted)
        self.patch.setattr(claiming, "ready", looked)

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


class _between_claim_and_record:
    """Runs a deed after the request was made and before its reply is written down."""

    def __init__(self, deed: Any) -> None:
        self.deed = deed
        self.patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        from webhooks.services.dispatch import recording

        record = recording.record

        def after_deed(*args: Any, **options: Any) -> None:
            self.deed()
            record(*args, **options)

        self.patch.setattr(recording, "record", after_deed)

    def __exit__(self, *_: Any) -> None:
        self.patch.undo()
