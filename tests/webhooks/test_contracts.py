"""What the requirement rows promise word by word and no other test of a room happens to hold: mostly at the doors."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import time_machine
from celery import signals
from django.contrib.auth.models import User
from django.urls import URLPattern

from config.kernel.desk import options
from config.kernel.flow import clock, events, jobs, routing
from config.kernel.models import Event, Tally
from config.kernel.tasks import announce_failure, work
from config.kernel.watch import metrics
from config.kernel.wire import signing
from tests.support import outbound, receivers
from tests.support.api import ADMIN, OPERATOR, VIEWER, Caller
from tests.support.factories import DeliveryFactory, EndpointFactory
from tests.support.inbound import SECRET, github_headers, hex_of, post
from tests.support.pages import client_of, text_of
from webhooks import facade
from webhooks.api import urls
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import dispatch, sources

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent.parent
DATA = {"videoId": "v1", "error": {"message": "no sound"}}
BODY = {"url": "https://receiver.example/hook", "events": ["video.failed"]}
CHANGES = ("post", "put", "patch", "delete")


@pytest.fixture
def admin() -> Caller:
    return Caller()


@pytest.fixture
def loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


# --- registering (S0-02, S0-33, S0-38, S0-68 to S0-71, S0-102, S2-15, S2-24, S2-47, S2-59) -------


def test_what_python_registered_is_read_by_the_route(admin: Caller) -> None:
    wanted = [facade.WebhookEvent.TRANSCRIPTION_COMPLETED, facade.WebhookEvent.SUMMARIZATION_COMPLETED]
    facade.register_webhook("my_app_webhook", "https://app.example.com/hook", events=wanted)
    found = admin.get("/api/autonomous/webhooks/my_app_webhook").json()
    assert (found["id"], found["url"]) == ("my_app_webhook", "https://app.example.com/hook")
    assert found["events"] == ["transcription.completed", "summarization.completed"]


def test_a_url_is_needed(admin: Caller) -> None:
    answer = admin.post("/api/v1/webhooks/endpoints", {"events": ["video.failed"]})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["url"])


def test_a_secret_that_is_made_has_32_bytes(admin: Caller) -> None:
    made = admin.post("/api/autonomous/webhooks/mine", BODY).json()
    assert len(signing.secret_bytes(made["secret"])) == 32


def test_an_open_endpoint_is_registered_where_the_option_allows_it(admin: Caller) -> None:
    body = {**BODY, "security_type": "none"}
    assert admin.post("/api/v1/webhooks/endpoints", body).status_code == 400
    options.set("REQUIRE_WEBHOOK_AUTH", False)
    assert admin.post("/api/v1/webhooks/endpoints", body).status_code == 201


def test_registering_with_a_secret_of_yours_answers_these_four_values(admin: Caller) -> None:
    answer = admin.post("/api/webhooks/register", {**BODY, "secret": "a-secret-of-mine"})
    made = Endpoint.living.get()
    assert (answer.status_code, answer.json()) == (201, {"success": True, "webhookId": made.uid, **BODY})
    listed = admin.get("/api/webhooks").json()
    assert listed["success"] is True
    assert listed["data"]["webhooks"] == [{"webhookId": made.uid, **BODY, "createdAt": clock.text(made.created_at), "active": True}]


def test_ed25519_signatures_are_asked_for_by_the_api(admin: Caller) -> None:
    made = admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": "mine", "asymmetric": True}).json()
    assert made["public_key"].startswith("whpk_")
    assert admin.patch("/api/v1/webhooks/endpoints/mine", {"description": "other"}).json()["public_key"] == made["public_key"]
    assert admin.patch("/api/v1/webhooks/endpoints/mine", {"asymmetric": False}).json()["public_key"] == ""


def test_the_list_takes_limit_and_offset(admin: Caller) -> None:
    for name in ("one", "two", "three"):
        admin.post(f"/api/autonomous/webhooks/{name}", BODY)
    found = admin.get("/api/autonomous/webhooks", limit=1, offset=1).json()
    assert (found["count"], [row["id"] for row in found["results"]]) == (3, ["two"])


def test_the_service_of_the_second_source_has_its_five_deeds() -> None:
    service = facade.WebhookService()
    made = service.register_webhook("https://app.example.com/hook", ["video.failed"], "a-secret-of-mine")
    [sent] = service.trigger_webhook({"eventId": "evt_mine", "eventType": "video.failed", "data": DATA})
    Delivery.objects.filter(uid=sent).update(status="dead", next_attempt_at=None)
    assert service.retry_failed_webhooks() == 1
    assert [one["webhookId"] for one in service.list_webhooks()] == [made]
    assert service.delete_webhook(made) is True


@pytest.mark.parametrize("path", ["/api/webhooks/register", "/api/autonomous/webhooks/mine", "/api/v1/webhooks/endpoints"])
def test_plain_http_is_refused_by_every_route_that_registers(admin: Caller, path: str) -> None:
    answer = admin.post(path, {**BODY, "url": "http://receiver.example/hook", "secret": "a-secret-of-mine"})
    assert answer.status_code == 400
    assert "https" in answer.json()["detail"]
    assert not Endpoint.objects.exists()


def test_an_endpoint_is_read_with_its_breaker_its_last_delivery_and_its_counters(admin: Caller) -> None:
    admin.post("/api/autonomous/webhooks/mine", BODY)
    delivery = DeliveryFactory(endpoint=Endpoint.living.get(uid="mine"), ended="delivered")
    found = admin.get("/api/autonomous/webhooks/mine").json()
    assert found["circuit_state"] == "closed"
    assert (found["last_delivery"]["id"], found["last_delivery"]["status"]) == (delivery.uid, "delivered")
    assert {name: found["counters"][name] for name in ("delivered", "dead", "pending")} == {"delivered": 1, "dead": 0, "pending": 0}
    assert admin.get("/api/autonomous/webhooks/nobody").status_code == 404


def test_ids_that_we_make_have_their_prefix(admin: Caller) -> None:
    made = admin.post("/api/v1/webhooks/endpoints", BODY).json()
    event = admin.post("/api/v1/events", {"type": "video.failed", "data": DATA}).json()
    assert re.match(r"^wh_[0-9a-z]+$", made["id"])
    assert re.match(r"^evt_[0-9a-z]+$", event["id"])


def test_deleting_a_webhook_gives_up_what_is_pending_and_keeps_its_history(admin: Caller) -> None:
    admin.post("/api/autonomous/webhooks/mine", BODY)
    pending = DeliveryFactory(endpoint=Endpoint.living.get(uid="mine"))
    assert admin.delete("/api/autonomous/webhooks/mine").status_code == 204
    assert admin.get("/api/autonomous/webhooks/mine").status_code == 404
    pending.refresh_from_db()
    assert pending.status == "cancelled"


def test_the_next_event_follows_the_events_that_were_put(admin: Caller) -> None:
    admin.post("/api/autonomous/webhooks/mine", BODY)
    admin.put("/api/autonomous/webhooks/mine", {**BODY, "events": ["video.completed"]})
    events.publish("video.failed", data=DATA)
    events.publish("video.completed", data={"videoId": "v1"})
    routing.route()
    assert [one.event.type for one in Delivery.objects.all()] == ["video.completed"]


# --- publishing (S0-09, S0-41, S0-46, S0-73, S0-87, S0-106) ----------------------------------------


def test_of_four_events_the_filter_of_the_source_lets_one_through(admin: Caller) -> None:
    conditions = {"video_duration": {"$lt": 3600}, "processing_quality": {"$in": ["high", "premium"]}}
    admin.post("/api/v1/webhooks/endpoints", {**BODY, "events": ["video.processed"], "filter_conditions": conditions})
    for duration, quality in ((3599, "high"), (3599, "low"), (3600, "high"), (3600, "low")):
        metadata = {"video_duration": duration, "processing_quality": quality}
        events.publish("video.processed", data={"video_id": "v1", "transcript": "", "summary": "", "metadata": metadata})
    routing.route()
    assert Delivery.objects.get().event.data["metadata"] == {"video_duration": 3599, "processing_quality": "high"}


def test_the_test_event_that_was_sent_reaches_the_receiver(admin: Caller, loopback: None) -> None:
    with receivers.ok() as sink:
        admin.post("/api/v1/webhooks/endpoints", {"url": sink.url, "events": ["system.status"]})
        answer = admin.post("/api/autonomous/webhooks/test", {"event": "system.status", "data": {"test": True}})
        dispatch.drain()
        [received] = sink.requests
    assert answer.json()["delivery_ids"] == [Delivery.objects.get().uid]
    assert (orjson.loads(received.body)["event"], orjson.loads(received.body)["data"]) == ("system.status", {"test": True})


def test_python_and_the_route_tell_the_same_statistics(admin: Caller) -> None:
    DeliveryFactory(ended="delivered")
    DeliveryFactory(ended="dead")
    found = facade.get_system_stats()
    assert admin.get("/api/autonomous/webhooks/system/stats").json() == found
    assert (found["success_rate"], found["pending_deliveries"]) == (0.5, 0)


def test_publishing_nudges_the_router_and_routing_nudges_the_sender(
    admin: Caller, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(jobs, "_send", lambda key, queue: sent.append(key))
    monkeypatch.setattr(jobs, "_quiet_until", None)
    for duty in ("kernel.route", "webhooks.deliver"):
        jobs.started(duty)
    admin.post("/api/v1/webhooks/endpoints", BODY)
    with django_capture_on_commit_callbacks(execute=True):
        admin.post("/api/v1/events", {"type": "video.failed", "data": DATA})
        assert "kernel.route" not in sent
    assert "kernel.route" in sent
    with django_capture_on_commit_callbacks(execute=True):
        routing.route()
    assert "webhooks.deliver" in sent


def test_publishing_calls_no_receiver_and_so_waits_for_none(admin: Caller, loopback: None) -> None:
    with receivers.hang() as sink:
        admin.post("/api/v1/webhooks/endpoints", {**BODY, "url": sink.url})
        assert admin.post("/api/v1/events", {"type": "video.failed", "data": DATA}).status_code == 202
        routing.route()
        assert Delivery.objects.filter(status="pending").count() == 1
        assert sink.requests == []


def test_the_story_of_an_event_says_which_filter_passed_over_whom() -> None:
    passed_over = EndpointFactory(uid="wh_short", events=["video.failed"], filter_conditions={"video_duration": {"$lt": 3600}})
    event = events.publish("video.failed", data={**DATA, "video_duration": 3600})
    routing.route()
    page = text_of(client_of(VIEWER).get(f"/events/{event.uid}"))
    assert "Skipped: filter on video_duration" in page
    assert passed_over.uid in page or passed_over.url in page


# --- sending (S0-40, S0-91, S0-93, S4-27, S0-103) ------------------------------------------------


def test_three_retries_of_five_seconds_are_made_after_5_10_and_20_seconds(admin: Caller, loopback: None) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as moment, receivers.status(500) as sink:
        admin.post("/api/autonomous/webhooks/mine", {**BODY, "url": sink.url, "retry_attempts": 3, "retry_delay_seconds": 5})
        events.publish("video.failed", data=DATA)
        routing.route()
        for _ in range(90):
            dispatch.drain()
            moment.shift(1)
    attempts = list(Attempt.objects.order_by("number"))
    assert [(one.started_at - attempts[0].started_at).total_seconds() for one in attempts] == [0, 5, 15, 35]
    assert (len(sink.requests), Delivery.objects.get().status) == (4, "dead")


def test_a_dead_letter_is_listed_by_the_api_the_admin_and_the_dashboard(admin: Caller) -> None:
    dead, alive = DeliveryFactory(ended="dead"), DeliveryFactory()
    assert [one["id"] for one in admin.get("/api/v1/webhooks/deliveries", status="dead").json()["results"]] == [dead.uid]
    staff = client_of(ADMIN)
    User.objects.update(is_staff=True)
    for address in ("/admin/webhooks/delivery/?status__exact=dead", "/dead-letters"):
        page = text_of(staff.get(address))
        assert dead.uid in page
        assert alive.uid not in page


def test_one_retry_by_default_makes_two_requests_and_a_dead_letter_that_is_counted(loopback: None) -> None:
    options.set("WEBHOOK_DEFAULT_RETRIES", 1)
    metrics.flush()  # what other tests left in this process
    before = dead_letters_counted()
    with receivers.status(500) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url, retry_base_seconds=0))
        while dispatch.drain():
            pass
        assert len(sink.requests) == 2
    delivery.refresh_from_db()
    assert delivery.status == "dead"
    metrics.flush()
    assert dead_letters_counted() - before == 1


def dead_letters_counted() -> float:
    return sum(Tally.objects.filter(name="webhook_dead_letters_total").values_list("value", flat=True))


def test_a_correlation_id_reaches_the_receiver_and_the_attempt(admin: Caller, loopback: None) -> None:
    with receivers.ok() as sink:
        admin.post("/api/v1/webhooks/endpoints", {**BODY, "url": sink.url})
        admin.post("/api/v1/events", {"type": "video.failed", "data": DATA}, **{"X-Correlation-ID": "abc-1"})
        routing.route()
        dispatch.drain()
        assert sink.requests[0].headers["x-correlation-id"] == "abc-1"
    assert Attempt.objects.get().request_headers["X-Correlation-ID"] == "abc-1"


def test_an_attempt_is_read_with_its_number_status_time_and_error(admin: Caller, loopback: None) -> None:
    with receivers.failing(1) as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url, retry_base_seconds=0))
        while dispatch.drain():
            pass
    found = admin.get(f"/api/v1/webhooks/deliveries/{delivery.uid}").json()["attempts"]
    assert [(one["number"], one["status_code"], one["error_code"]) for one in found] == [(1, 500, "http_status"), (2, 200, "")]
    assert all(one["duration_ms"] >= 0 and one["started_at"].endswith("Z") for one in found)


# --- counted and announced (S4-05, S4-32, S0-23) -------------------------------------------------


@pytest.mark.parametrize(("age", "status"), [(299, 202), (301, 401)])
@time_machine.travel("2026-01-31T12:00:00Z", tick=False)
def test_a_request_with_an_old_time_is_refused_at_the_door(age: int, status: int) -> None:
    sources.create(slug="shop", preset="hmac", secret=SECRET)
    stamp = str(int(clock.now().timestamp()) - age)
    headers = {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": "sha256=" + hex_of(SECRET, f"{stamp}.{{}}".encode())}
    assert post("/in/shop", b"{}", headers).status_code == status


def test_the_failure_of_a_celery_task_is_told_to_a_receiver(admin: Caller, loopback: None) -> None:
    with receivers.ok() as sink:
        admin.post("/api/v1/webhooks/endpoints", {"url": sink.url, "events": ["error.occurred"]})
        signals.task_failure.send(sender=work, task_id="t", exception=LookupError("nothing there"), args=("tests.broken",), kwargs={})
        routing.route()
        dispatch.drain()
    data = orjson.loads(sink.requests[0].body)["data"]
    assert data == {"error_type": "LookupError", "message": "nothing there", "context": {"task": "kernel.work['tests.broken']"}}


def test_ten_good_requests_and_one_with_a_bad_signature_move_the_counters_by_ten_and_one() -> None:
    metrics.flush()  # what other tests left in this process
    Tally.objects.all().delete()
    sources.create(slug="github", preset="github", secret=SECRET)
    for number in range(10):
        body = b'{"ref": "refs/heads/main"}'
        assert post("/api/v1/webhooks/github", body, github_headers(body, delivery=f"d-{number}")).status_code == 202
    assert post("/api/v1/webhooks/github", b"{}", github_headers(b"{ }", delivery="bad")).status_code == 401
    metrics.flush()
    counted = {one.labels: one.value for one in Tally.objects.filter(name="webhook_events_received_total")}
    assert {("accepted" in labels, "rejected" in labels): value for labels, value in counted.items()} == {
        (True, False): 10,
        (False, True): 1,
    }


def test_a_task_that_raises_is_one_event_a_minute_with_the_class_of_its_error() -> None:
    for _ in range(3):
        announce_failure(sender=None, exception=ValueError("token=hunter2 is wrong"), args=("a",))
    [event] = Event.objects.filter(type="error.occurred")
    assert event.data["error_type"] == "ValueError"
    assert "hunter2" not in str(event.data)


# --- who may (S1-88 to S1-91, C-12) ------------------------------------------------------------


def every_address() -> list[str]:
    found = [(prefix, one) for prefix, group in (("/api/v1/", urls.canonical), ("/", urls.compatibility)) for one in group]
    return [prefix + re.sub(r"<[^>]+>", "x", str(one.pattern)) for prefix, one in found if isinstance(one, URLPattern)]


def refusals(caller: Caller) -> dict[str, int]:
    """What each change is answered with, where the address knows the method at all."""
    answers = {f"{verb} {path}": getattr(caller, verb)(path).status_code for path in every_address() for verb in CHANGES}
    return {name: status for name, status in answers.items() if status != 405}


def test_a_viewer_may_change_nothing_at_any_address() -> None:
    found = refusals(Caller(VIEWER))
    assert len(found) > 30
    assert {name: status for name, status in found.items() if status != 403} == {}


def test_an_operator_may_publish_and_change_nothing_else() -> None:
    allowed = {name for name, status in refusals(Caller(OPERATOR)).items() if status != 403}
    assert allowed == {"post /api/v1/events", "post /api/v1/events/batch"}


def test_an_administrator_is_refused_nowhere() -> None:
    assert 403 not in refusals(Caller(ADMIN)).values()


def test_a_viewer_reads_at_every_address_that_can_be_read() -> None:
    viewer = Caller(VIEWER)
    assert {path for path in every_address() if viewer.get(path).status_code in (401, 403)} == set()


# --- the routes as the sources print them (C-01, C-10) --------------------------------------------

PRINTED = [
    ("post", "/api/autonomous/webhooks/mine", BODY, 201),
    ("get", "/api/autonomous/webhooks/mine", None, 200),
    ("put", "/api/autonomous/webhooks/mine", BODY, 200),
    ("get", "/api/autonomous/webhooks", None, 200),
    ("get", "/api/autonomous/webhooks/system/stats", None, 200),
    ("post", "/api/autonomous/webhooks/test", {"event": "system.status", "data": {"test": True}}, 202),
    ("get", "/api/autonomous/events", None, 200),
    ("post", "/webhooks/test", None, 202),
    ("post", "/api/webhooks/register", {**BODY, "secret": "a-secret-of-mine"}, 201),
    ("get", "/api/webhooks", None, 200),
    ("delete", "/api/webhooks/mine", None, 200),
    ("get", "/metrics", None, 200),
    ("get", "/docs", None, 200),
]


def test_every_route_answers_where_its_source_prints_it(admin: Caller) -> None:
    answers = [getattr(admin, verb)(path, *([body] if body else [])).status_code for verb, path, body, _ in PRINTED]
    assert answers == [status for *_, status in PRINTED]


@pytest.mark.parametrize("taken", ["system", "github", "register"])
def test_the_route_with_an_id_of_yours_refuses_reserved_ones(admin: Caller, taken: str) -> None:
    assert admin.post(f"/api/autonomous/webhooks/{taken}", BODY).status_code == 400
    assert not Endpoint.objects.exists()


# --- pages that the requirements ask for (S4-16) -----------------------------------------------


def test_the_page_on_github_names_address_events_content_type_and_secret() -> None:
    page = (ROOT / "docs" / "howto" / "github.md").read_text()
    for word in (
        "https://your-domain.com/api/v1/webhooks/github",
        "Pull requests",
        "Check runs",
        "Check suites",
        "Pushes",
        "application/json",
        "GITHUB_WEBHOOK_SECRET",
    ):
        assert word in page
