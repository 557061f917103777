"""One inbound request: the answer, the rows, and what a repeat, a flood or a refusal leaves behind."""

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries

from config.kernel.desk import options
from config.kernel.flow.errors import Conflict
from config.kernel.models import Event, EventType, RouteFailure
from tests.support.inbound import FORM, SECRET, base64_of, github_headers, hex_of, post, post_github
from webhooks import inbound
from webhooks.models import Receipt, Source
from webhooks.services import receipts, sources

pytestmark = pytest.mark.django_db

PUSH = {"ref": "refs/heads/main", "after": "a" * 40}


@pytest.fixture
def github() -> Source:
    return sources.create(slug="github", preset="github", secret=SECRET).source


def inbound_events() -> list[Event]:
    return list(Event.objects.filter(source__startswith="inbound:").order_by("id"))


def only_event() -> Event:
    [event] = inbound_events()
    return event


# --- accepted ----------------------------------------------------------------------------------


def test_answer_has_exactly_the_keys_that_are_promised(github: Source) -> None:
    reply = post_github({"action": "opened"}, event="pull_request", delivery="d-9")
    event = only_event()
    assert (reply.status_code, reply["Content-Length"]) == (202, str(len(reply.content)))
    assert reply.json() == {
        "status": "accepted",
        "delivery_id": "d-9",
        "event_type": "pull_request",
        "result": {"status": "queued", "task_id": event.uid.replace("evt_", "tsk_")},
    }


def test_receipt_and_event_hold_what_came(github: Source) -> None:
    body = b'{ "ref": "refs/heads/main",\n "big": 18446744073709551617 }'
    post("/api/v1/webhooks/github", body, github_headers(body, delivery="d-1", hook="5"))
    event, receipt = only_event(), Receipt.objects.get()
    assert (receipt.status, receipt.hook_id, receipt.delivery_id, receipt.event_type) == ("accepted", "5", "d-1", "push")
    assert bytes(receipt.body or b"") == body
    assert receipt.event_id == event.pk
    assert body in bytes(event.body)
    assert event.requested_task == {"type": "push_analysis", "id": event.uid.replace("evt_", "tsk_")}
    assert (event.type, event.source, event.subject) == ("github.push", "inbound:github", f"receipt:{receipt.uid}")
    assert EventType.objects.get(name="github.push").origin == "inbound"


def test_both_addresses_lead_to_the_source_github(github: Source) -> None:
    assert post_github(PUSH, delivery="1").status_code == 202
    assert post_github(PUSH, delivery="2", path="/in/github").status_code == 202


def test_form_is_taken_with_the_signature_over_its_raw_bytes(github: Source) -> None:
    body = urlencode({"payload": orjson.dumps(PUSH).decode()}).encode()
    reply = post("/in/github", body, github_headers(body), content_type=FORM)
    assert reply.status_code == 202
    assert only_event().data == PUSH


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"])
def test_json_by_other_names_is_json(github: Source, content_type: str) -> None:
    body = orjson.dumps(PUSH)
    assert post("/in/github", body, github_headers(body), content_type=content_type).status_code == 202


def test_ping_is_answered_with_pong_and_asks_for_no_task(github: Source) -> None:
    reply = post_github({"zen": "x"}, event="ping")
    assert (reply.status_code, reply.json()["result"]) == (202, {"status": "pong"})
    assert only_event().requested_task is None


def test_unknown_event_is_accepted_recorded_and_ignored(github: Source) -> None:
    reply = post_github({}, event="star")
    assert reply.status_code == 202
    assert (reply.json()["status"], reply.json()["result"]) == ("accepted", {"status": "ignored", "reason": "event_not_handled"})
    assert Receipt.objects.get().status == "ignored"
    assert only_event().type == "github.star"


def test_installation_is_recorded_as_an_event(github: Source) -> None:
    reply = post_github({"action": "created"}, event="installation")
    assert reply.json()["result"] == {"status": "queued", "event_id": only_event().uid}


def test_which_conclusions_and_branches_count_are_options(github: Source) -> None:
    options.set("GITHUB_MAIN_BRANCHES", ["trunk"])
    assert post_github(PUSH, delivery="1").json()["result"]["status"] == "ignored"
    assert post_github({"ref": "refs/heads/trunk"}, delivery="2").json()["result"]["status"] == "queued"
    options.set("GITHUB_FAILED_CONCLUSIONS", ["cancelled"])
    answers = []
    for conclusion in ("failure", "cancelled"):
        check = {"action": "completed", "check_run": {"conclusion": conclusion}}
        answers.append(post_github(check, event="check_run", delivery=conclusion).json()["result"]["status"])
    assert answers == ["ignored", "queued"]


def test_correlation_id_runs_through_receipt_event_and_refusal(github: Source) -> None:
    body = orjson.dumps(PUSH)
    post("/in/github", body, {**github_headers(body), "X-Correlation-ID": "abc"})
    reply = post("/in/github", body, {"X-Correlation-ID": "def"})
    assert [row.correlation_id for row in Receipt.objects.order_by("id")] == ["abc", "def"]
    assert only_event().correlation_id == "abc"
    assert (reply.json()["correlation_id"], reply["X-Correlation-ID"]) == ("def", "def")


def test_accepted_request_needs_few_statements(github: Source, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    post_github(PUSH, delivery="warm")
    with django_assert_max_num_queries(8) as seen:  # with what a test's savepoints and the bucket's row add
        post_github(PUSH, delivery="counted")
    assert "".join(query["sql"] for query in seen).count("INSERT INTO") == 2


# --- repeats -----------------------------------------------------------------------------------


def test_repeat_answers_duplicate_and_makes_nothing_new(github: Source) -> None:
    first = post_github(PUSH, delivery="same").json()
    reply = post_github(PUSH, delivery="same")
    assert (reply.status_code, reply.json()["status"]) == (200, "duplicate")
    assert reply.json()["result"]["task_id"] == first["result"]["task_id"]
    assert [row.status for row in Receipt.objects.order_by("id")] == ["accepted", "duplicate"]
    only_event()


def test_same_id_from_another_hook_is_another_delivery(github: Source) -> None:
    assert post_github(PUSH, delivery="same", hook="1").status_code == 202
    assert post_github(PUSH, delivery="same", hook="2").status_code == 202
    assert len(inbound_events()) == 2


def test_same_signature_is_not_a_repeat(github: Source) -> None:
    assert post_github(PUSH, delivery="1").status_code == 202
    assert post_github(PUSH, delivery="2").status_code == 202


def test_repeat_of_an_ignored_one_is_a_duplicate(github: Source) -> None:
    post_github({}, event="star")
    assert post_github({}, event="star").json()["result"] == {"status": "duplicate"}


def test_repeat_of_one_that_failed_for_good_is_worked_again(github: Source) -> None:
    post_github(PUSH)
    event = only_event()
    Event.objects.filter(pk=event.pk).update(routed_at=event.created_at)
    RouteFailure.objects.create(event=event, subscriber="workflows.events", attempts=9, next_attempt_at=None, error="x")
    reply = post_github(PUSH)
    assert (reply.status_code, reply.json()["status"], reply.json()["result"]["status"]) == (202, "accepted", "queued")
    event.refresh_from_db()
    assert event.routed_at is None
    assert not RouteFailure.objects.exists()


def test_refused_request_does_not_use_up_its_id(github: Source) -> None:
    assert post_github(PUSH, delivery="x", secret="wrong").status_code == 401
    assert post_github(PUSH, delivery="x").status_code == 202


# --- refused -----------------------------------------------------------------------------------


def test_wrong_signature_tells_the_sender_nothing_and_the_operator_why(github: Source) -> None:
    reply = post_github(PUSH, secret="wrong")
    assert reply.status_code == 401
    assert set(reply.json()) == {"status", "detail", "correlation_id"}
    assert (reply.json()["status"], reply.json()["detail"]) == ("rejected", "Signature missing or wrong.")
    receipt = Receipt.objects.get()
    assert (receipt.status, receipt.reason, receipt.delivery_id, receipt.event_type) == ("rejected", "wrong_secret", "d-1", "push")
    assert not inbound_events()


def test_missing_and_sha1_only_signatures_sound_the_same(github: Source) -> None:
    body = orjson.dumps(PUSH)
    missing = post("/in/github", body, {"X-GitHub-Event": "push"})
    sha1 = post("/in/github", body, {"X-GitHub-Event": "push", "X-Hub-Signature": "sha1=" + hex_of(SECRET, body, "sha1")})
    assert missing.status_code == sha1.status_code == 401
    assert missing.json()["detail"] == sha1.json()["detail"]
    assert [row.reason for row in Receipt.objects.order_by("id")] == ["signature_missing", "sha1_only"]


@pytest.mark.parametrize(
    ("body", "content_type", "drop", "status", "reason"),
    [
        (b"{", "application/json", "", 400, "bad_json"),
        (b"[]", "application/json", "X-GitHub-Event", 400, "event_missing"),
        (b"{}", "application/json", "X-GitHub-Delivery", 400, "id_missing"),
        (b"{}", "text/plain", "", 415, "content_type"),
        (b"{}", "", "", 415, "content_type"),
        (b"{}", "multipart/form-data; boundary=x", "", 415, "content_type"),
        (b"a=1", FORM, "", 400, "payload_missing"),
        (b"payload=%7B", FORM, "", 400, "bad_json"),
        (b"payload=%FF", FORM, "", 400, "bad_form"),
        (b"[" * 201 + b"]" * 201, "application/json", "", 400, "too_deep"),
    ],
)
def test_unreadable_request_is_refused(github: Source, body: bytes, content_type: str, drop: str, status: int, reason: str) -> None:
    headers = {name: value for name, value in github_headers(body).items() if name != drop}
    reply = post("/in/github", body, headers, content_type=content_type)
    assert (reply.status_code, Receipt.objects.get().reason) == (status, reason)
    assert not inbound_events()


def test_compressed_body_is_refused_with_a_hint(github: Source) -> None:
    body = b"\x1f\x8b\x08\x00"
    reply = post("/in/github", body, {**github_headers(body), "Content-Encoding": "gzip"})
    assert reply.status_code == 415
    assert "compressed" in reply.json()["detail"]


def test_body_over_the_limit_is_refused_unread(github: Source) -> None:
    sources.update(github, max_body_bytes=100)
    assert post_github(b'"' + b"x" * 98 + b'"', delivery="1").status_code == 202
    reply = post_github(b'"' + b"x" * 99 + b'"', delivery="2")
    assert reply.status_code == 413
    refused = Receipt.objects.get(status="rejected")
    assert (refused.reason, refused.body_size, bytes(refused.body or b"")) == ("too_large", 101, b"")


def test_only_post_is_taken(github: Source, client: Any) -> None:
    reply = client.get("/in/github")
    assert (reply.status_code, reply["Allow"]) == (405, "POST")


def test_flood_of_refusals_is_capped_in_rows(github: Source) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        replies = {post_github(PUSH, secret="wrong").status_code for _ in range(70)}
    assert replies == {401}
    assert Receipt.objects.count() == 60


def test_refused_body_is_trimmed(github: Source) -> None:
    body = b'"' + b"x" * 100_000 + b'"'
    post_github(body, secret="wrong")
    receipt = Receipt.objects.get()
    assert (len(bytes(receipt.body or b"")), receipt.body_size) == (65_536, 100_002)


def test_credentials_are_not_kept() -> None:
    sources.create(slug="jobs", preset="bearer", secret="hunter2-hunter2")
    post("/in/jobs", b"{}", {"Authorization": "Bearer hunter2-hunter2", "Cookie": "a=b"})
    receipt = Receipt.objects.get()
    assert receipt.status == "accepted"
    assert "hunter2" not in str(receipt.headers)


# --- limits ------------------------------------------------------------------------------------


def test_burst_passes_then_the_rate_holds(github: Source) -> None:
    sources.update(github, rate_per_second=10, rate_burst=20)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        assert [post_github(PUSH, delivery=f"a{n}").status_code for n in range(21)] == [202] * 20 + [429]
        reply = post_github(PUSH, delivery="again")
        assert (reply.status_code, reply["Retry-After"]) == (429, "1")
        clock.shift(1)
        assert [post_github(PUSH, delivery=f"b{n}").status_code for n in range(11)] == [202] * 10 + [429]


def test_forged_requests_do_not_use_up_the_limit(github: Source) -> None:
    sources.update(github, rate_per_second=1, rate_burst=1)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        assert post_github(PUSH, secret="wrong").status_code == 401
        assert post_github(PUSH).status_code == 202


# --- other senders -----------------------------------------------------------------------------


def test_generic_source_names_by_header() -> None:
    sources.create(slug="shop", preset="hmac", secret=SECRET)
    body = b'{"n": 1}'
    headers = {"X-Webhook-Signature": "sha256=" + hex_of(SECRET, body), "X-Webhook-Event": "order.paid", "X-Webhook-Id": "o-1"}
    reply = post("/in/shop", body, headers)
    assert reply.json() == {
        "status": "accepted",
        "delivery_id": "o-1",
        "event_type": "order.paid",
        "result": {"status": "queued", "event_id": only_event().uid},
    }
    assert only_event().type == "shop.order.paid"
    assert post("/in/shop", body, headers).status_code == 200


def test_without_any_id_the_content_is_the_id() -> None:
    sources.create(slug="shop", preset="bearer", secret=SECRET)
    bearer = {"Authorization": f"Bearer {SECRET}"}
    assert [post("/in/shop", body, bearer).status_code for body in (b'{"n":1}', b'{"n":1}', b'{"n":2}')] == [202, 200, 202]


def test_body_that_is_no_object_is_put_into_one() -> None:
    sources.create(slug="shop", preset="bearer", secret=SECRET)
    post("/in/shop", b"[1, 2]", {"Authorization": f"Bearer {SECRET}"})
    assert only_event().data == {"body": [1, 2]}


def test_form_of_a_generic_source_becomes_an_object() -> None:
    sources.create(slug="shop", preset="bearer", secret=SECRET)
    post("/in/shop", b"a=1&b=2&b=3&type=order", {"Authorization": f"Bearer {SECRET}"}, content_type=FORM)
    assert (only_event().type, only_event().data) == ("shop.order", {"a": "1", "b": ["2", "3"], "type": "order"})


def test_slack_challenge_is_answered() -> None:
    sources.create(slug="slack", preset="slack", secret=SECRET)
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        body = b'{"type": "url_verification", "challenge": "c-1"}'
        headers = {"X-Slack-Request-Timestamp": "1772366400", "X-Slack-Signature": "v0=" + hex_of(SECRET, b"v0:1772366400:" + body)}
        reply = post("/in/slack", body, headers)
    assert (reply.status_code, reply.json()) == (200, {"challenge": "c-1"})
    assert not inbound_events()


def test_shopify_topic_becomes_a_name_with_dots() -> None:
    sources.create(slug="shopify", preset="shopify", secret=SECRET)
    headers = {"X-Shopify-Hmac-Sha256": base64_of(SECRET.encode(), b"{}"), "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "w1"}
    assert post("/in/shopify", b"{}", headers).json()["event_type"] == "orders/create"
    assert only_event().type == "shopify.orders.create"


def test_gitlab_event_is_known_by_its_uuid() -> None:
    sources.create(slug="gitlab", preset="gitlab", secret=SECRET)
    headers = {"X-Gitlab-Token": SECRET, "X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "u1"}
    assert [post("/in/gitlab", b"{}", headers).status_code for _ in range(2)] == [202, 200]
    assert only_event().type == "gitlab.Push_Hook"


def alert(status: str, started: str, fill: int = 0) -> bytes:
    one = {"fingerprint": "f1", "status": status, "startsAt": started, "annotations": {"text": "x" * fill}}
    return orjson.dumps({"groupKey": "{}:{x}", "status": status, "alerts": [one]})


def test_alertmanager_repeats_are_known_by_group_and_states() -> None:
    sources.create(slug="alerts", preset="alertmanager", secret=SECRET)
    bearer = {"Authorization": f"Bearer {SECRET}"}
    bodies = [alert("firing", "t1"), alert("firing", "t1", fill=5), alert("resolved", "t1"), alert("firing", "t2")]
    assert [post("/in/alerts", body, bearer).status_code for body in bodies] == [202, 200, 202, 202]
    assert {event.type for event in inbound_events()} == {"alerts.firing", "alerts.resolved"}


def test_alertmanager_body_of_megabytes_is_fine() -> None:
    sources.create(slug="alerts", preset="alertmanager", secret=SECRET)
    assert post("/in/alerts", alert("firing", "t1", fill=2_500_000), {"Authorization": f"Bearer {SECRET}"}).status_code == 202


def test_schema_of_an_inbound_type_only_warns(github: Source) -> None:
    EventType.objects.create(name="github.push", origin="inbound", schema={"type": "object", "required": ["never"]})
    assert post_github(PUSH).status_code == 202
    assert "never" in Receipt.objects.get().warning


# --- again -------------------------------------------------------------------------------------


def test_reprocessing_routes_the_same_event_again(github: Source) -> None:
    post_github(PUSH)
    Event.objects.update(routed_at=only_event().created_at)
    receipts.reprocess(Receipt.objects.get())
    assert only_event().routed_at is None


def test_reprocessing_maps_an_ignored_one_anew(github: Source) -> None:
    post_github({"ref": "refs/heads/trunk"})
    options.set("GITHUB_MAIN_BRANCHES", ["trunk"])
    receipt = receipts.reprocess(Receipt.objects.get())
    assert receipt.status == "accepted"
    assert only_event().requested_task == {"type": "push_analysis", "id": only_event().uid.replace("evt_", "tsk_")}


def test_reprocessing_a_refused_one_works_once_the_secret_is_right(github: Source) -> None:
    post_github(PUSH, secret="the true one")
    receipt = Receipt.objects.get()
    with pytest.raises(Conflict, match="still refused"):
        receipts.reprocess(receipt)
    sources.rotate_secret(github, secret="the true one")
    assert receipts.reprocess(receipt).status == "accepted"
    assert post_github(PUSH, secret="the true one").status_code == 200
    only_event()


def test_reprocessing_a_refused_one_that_came_again_is_a_conflict(github: Source) -> None:
    post_github(PUSH, secret="new")
    refused = Receipt.objects.get()
    sources.rotate_secret(github, secret="new")
    post_github(PUSH, secret="new")
    with pytest.raises(Conflict, match="accepted since"):
        receipts.reprocess(refused)


def test_reprocessing_needs_the_whole_body_and_the_credential(github: Source) -> None:
    post_github(b'"' + b"x" * 70_000 + b'"', secret="wrong")
    sources.create(slug="jobs", preset="bearer", secret=SECRET)
    post("/in/jobs", b"{}", {"Authorization": "Bearer wrong"})
    for receipt in Receipt.objects.all():
        with pytest.raises(Conflict, match="sender send it once more"):
            receipts.reprocess(receipt)


# --- asked before the body ---------------------------------------------------------------------


def test_how_much_is_read_is_the_sources_own_limit_and_nothing_where_all_is_refused(github: Source) -> None:
    assert inbound.largest_body("/in/github") == inbound.largest_body("/api/v1/webhooks/github") == 25 * 1024 * 1024
    sources.update(github, max_body_bytes=1000)
    assert inbound.largest_body("/in/github") == 1000
    sources.pause(github)
    assert inbound.largest_body("/in/github") == 0
    assert inbound.largest_body("/in/nobody") == 0
    assert inbound.largest_body("/api/v1/events/batch") == 10 * 1024 * 1024
