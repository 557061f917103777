"""The API of endpoints: the canonical routes and the printed ones see the same rows."""

import pytest

from config.kernel.flow import events, routing
from config.kernel.models import AuditRecord
from tests.support.api import OPERATOR, VIEWER, Caller
from webhooks.enums import DeliveryStatus
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db

URL = "https://receiver.example/hook"
BODY = {"url": URL, "events": ["transcription.completed", "summarization.completed"]}


@pytest.fixture
def admin():
    return Caller()


def test_one_endpoint_by_each_of_three_routes_and_all_three_lists_show_three(admin):
    assert admin.post("/api/v1/webhooks/endpoints", BODY).status_code == 201
    assert admin.post("/api/autonomous/webhooks/my_webhook", BODY).status_code == 201
    assert admin.post("/api/webhooks/register", {**BODY, "secret": "a-secret-of-mine"}).status_code == 201
    assert admin.get("/api/v1/webhooks/endpoints").json()["count"] == 3
    assert admin.get("/api/autonomous/webhooks").json()["count"] == 3
    assert len(admin.get("/api/webhooks").json()["data"]["webhooks"]) == 3


def test_the_full_config_is_read_back_equal_and_the_secret_is_shown_once(admin):
    body = {
        **BODY,
        "security_type": "HMAC_SHA256",
        "timeout_seconds": 30,
        "retry_attempts": 3,
        "retry_delay_seconds": 5,
        "filter_conditions": {"video_duration": {"$lt": 3600}, "processing_quality": {"$in": ["high", "premium"]}},
    }
    made = admin.post("/api/autonomous/webhooks/my_app", body)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    read = admin.get("/api/autonomous/webhooks/my_app").json()
    assert {name: read[name] for name in body} == {**body, "security_type": "hmac_sha256"}
    assert "secret" not in read
    assert made.json()["secret"] not in admin.get("/api/v1/webhooks/endpoints/my_app").content.decode()


def test_the_same_id_again_answers_409_and_changes_nothing(admin):
    admin.post("/api/autonomous/webhooks/mine", BODY)
    again = admin.post("/api/autonomous/webhooks/mine", {**BODY, "url": "https://other.example/"})
    assert again.status_code == 409
    assert Endpoint.living.get(uid="mine").url == URL


@pytest.mark.parametrize("taken", ["system", "test", "github", "register"])
def test_reserved_ids_are_refused(admin, taken):
    assert admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": taken}).status_code == 400


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        ({"url": "http://receiver.example/"}, "url", "https"),
        ({"url": "https://127.0.0.1/"}, "url", "127.0.0.1"),
        ({"events": []}, "events", ""),
        ({"events": ["nope.x"]}, "events", "nope.x"),
        ({"security_type": "none"}, "security_type", ""),
        ({"timeout_seconds": 301}, "timeout_seconds", "300"),
        ({"filter_conditions": {"x": {"$foo": 1}}}, "filter_conditions", "$foo"),
    ],
)
def test_bad_input_gets_a_sentence_and_no_row(admin, change, field, word):
    answer = admin.post("/api/v1/webhooks/endpoints", {**BODY, **change})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert word.lower() in answer.content.decode().lower()
    assert answer.json()["correlation_id"]
    assert not Endpoint.objects.exists()


def test_put_replaces_and_patch_changes_one_thing(admin):
    admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": "a", "timeout_seconds": 7, "description": "first"})
    patched = admin.patch("/api/v1/webhooks/endpoints/a", {"description": "second"})
    assert (patched.json()["timeout_seconds"], patched.json()["description"]) == (7, "second")
    put = admin.put("/api/autonomous/webhooks/a", {"url": URL, "events": ["video.failed"]})
    assert (put.json()["timeout_seconds"], put.json()["description"], put.json()["events"]) == (30, "", ["video.failed"])


def test_delete_says_what_each_route_promises_and_frees_the_id(admin):
    for name in ("a", "b"):
        admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": name})
    assert admin.delete("/api/autonomous/webhooks/a").status_code == 204
    gone = admin.delete("/api/webhooks/b")
    assert (gone.status_code, gone.json()) == (200, {"success": True, "message": "Webhook deleted successfully"})
    again = admin.delete("/api/webhooks/b")
    assert (again.status_code, again.json()["success"]) == (404, False)
    assert admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": "a"}).status_code == 201


def test_register_answers_flat_without_the_secret_and_retries_on_the_schedule(admin):
    answer = admin.post("/api/webhooks/register", {**BODY, "secret": "a-secret-of-mine"})
    body = answer.json()
    assert set(body) == {"success", "webhookId", "url", "events"}
    assert body["webhookId"].startswith("wh_")
    endpoint = Endpoint.living.get(uid=body["webhookId"])
    assert (endpoint.retry_schedule, endpoint.max_attempts) == ([0, 60, 300, 900, 3600], 5)
    [listed] = admin.get("/api/webhooks").json()["data"]["webhooks"]
    assert set(listed) == {"webhookId", "url", "events", "createdAt", "active"}


@pytest.mark.parametrize(("step", "status"), [("pause", "paused"), ("disable", "disabled"), ("enable", "active"), ("resume", "active")])
def test_a_step_that_was_taken_already_answers_as_the_first_time(admin, step, status):
    admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": "a"})
    for _ in range(2):
        answer = admin.post(f"/api/v1/webhooks/endpoints/a/{step}")
        assert (answer.status_code, answer.json()["status"]) == (200, status)


def test_pause_holds_resume_sends_and_rotation_shows_the_new_secret_once(admin):
    old = admin.post("/api/v1/webhooks/endpoints", {**BODY, "id": "a"}).json()["secret"]
    assert admin.post("/api/v1/webhooks/endpoints/a/pause", {"reason": "maintenance"}).json()["active"] is False
    assert admin.post("/api/v1/webhooks/endpoints/a/resume").json()["active"] is True
    new = admin.post("/api/v1/webhooks/endpoints/a/rotate-secret").json()["secret"]
    assert new != old
    assert AuditRecord.objects.filter(action="endpoint.secret_rotated").count() == 1


@pytest.mark.parametrize("route", ["/api/autonomous/webhooks/test", "/webhooks/test", "/api/v1/webhooks/test"])
def test_each_test_route_makes_a_delivery_for_the_subscribed(admin, route):
    admin.post("/api/v1/webhooks/endpoints", {"url": URL, "events": ["system.status"], "id": "a"})
    admin.post("/api/v1/webhooks/endpoints", {"url": URL, "events": ["video.failed"], "id": "b"})
    answer = admin.post(route)
    assert answer.status_code == 202
    [delivery] = Delivery.objects.filter(uid__in=answer.json()["delivery_ids"])
    assert delivery.endpoint.uid == "a"
    assert delivery.event.data["test"] is True


def test_a_dead_delivery_is_sent_again_by_its_id_and_all_by_one_call(admin):
    admin.post("/api/v1/webhooks/endpoints", {"url": URL, "events": ["system.status"], "id": "a"})
    events.publish("system.status", data={"status": "healthy", "component": "x", "details": {}})
    routing.route()
    Delivery.objects.update(status=DeliveryStatus.DEAD, attempt_count=4, next_attempt_at=None)
    uid = Delivery.objects.get().uid
    assert admin.post(f"/api/v1/webhooks/deliveries/{uid}/retry").status_code == 202
    assert admin.post(f"/api/v1/webhooks/deliveries/{uid}/retry").status_code == 409
    Delivery.objects.update(status=DeliveryStatus.DEAD, next_attempt_at=None)
    assert admin.post("/api/v1/webhooks/deliveries/retry-failed").json() == {"requeued": 1}
    assert Delivery.objects.get().status == DeliveryStatus.PENDING


def test_statistics_have_the_four_numbers_also_without_any_row(admin):
    stats = admin.get("/api/autonomous/webhooks/system/stats").json()
    assert {name: stats[name] for name in ("active_webhooks", "success_rate", "pending_deliveries", "average_response_time")} == {
        "active_webhooks": 0,
        "success_rate": 0.0,
        "pending_deliveries": 0,
        "average_response_time": 0.0,
    }
    assert admin.get("/api/v1/webhooks/stats").json() == stats


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("post", "/api/webhooks/register"),
        ("get", "/api/webhooks"),
        ("delete", "/api/webhooks/x"),
        ("get", "/api/autonomous/webhooks"),
        ("post", "/api/v1/events"),
        ("get", "/api/autonomous/events"),
        ("post", "/webhooks/test"),
    ],
)
def test_without_a_token_401(verb, path):
    answer = getattr(Caller(None), verb)(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_viewer_reads_and_changes_nothing_and_an_operator_publishes():
    viewer, operator = Caller(VIEWER), Caller(OPERATOR)
    assert viewer.get("/api/v1/webhooks/endpoints").status_code == 200
    refused = viewer.post("/api/v1/webhooks/endpoints", BODY)
    assert refused.status_code == 403
    assert "webhooks:manage" in refused.json()["detail"]
    event = {"type": "video.failed", "data": {"videoId": "v", "error": {"message": "m"}}}
    assert viewer.post("/api/v1/events", event).status_code == 403
    assert operator.post("/api/v1/events", event).status_code == 202
