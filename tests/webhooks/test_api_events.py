"""The API of events and event types, sources and receipts."""

import pytest

from config.kernel.flow.errors import InvalidInput
from config.kernel.models import Event, EventType
from tests.support.api import Caller
from webhooks.services import event_types

pytestmark = pytest.mark.django_db

DATA = {"videoId": "v1", "error": {"message": "no sound"}}
SOURCE_NAMES = {
    "transcription.completed",
    "transcription.failed",
    "summarization.completed",
    "summarization.failed",
    "batch.started",
    "batch.completed",
    "batch.failed",
    "video.processed",
    "error.occurred",
    "system.status",
    "user.quota_exceeded",
    "processing.delayed",
    "video.completed",
    "video.failed",
    "youtube.uploaded",
    "youtube.failed",
}


@pytest.fixture
def admin():
    return Caller()


def test_the_same_id_again_answers_200_with_the_first(admin):
    first = admin.post("/api/v1/events", {"type": "video.failed", "data": DATA, "id": "job-1"})
    again = admin.post("/api/v1/events", {"type": "video.failed", "data": {**DATA, "videoId": "v2"}, "id": "job-1"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["data"] == DATA
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"type": "nope.x", "data": {}}, "nope.x"),
        ({"type": "video.failed", "data": {"error": {"message": "m"}}}, "videoId"),
        ({"type": "video.failed"}, "data"),
        ({"type": "video.failed", "data": [1]}, "data"),
        ({"type": "video.failed", "data": DATA, "id": "a b"}, "id"),
        ('{"type": "video.failed", ', "JSON"),
        ("[1, 2]", "object"),
    ],
)
def test_a_bad_event_is_refused_with_a_sentence(admin, body, word):
    answer = admin.post("/api/v1/events", body)
    assert answer.status_code == 400
    assert word in answer.content.decode()
    assert not Event.objects.exists()


def test_an_event_past_the_cap_is_refused_in_a_batch_too_and_alone(admin, settings):
    settings.OPTIONS = {**settings.OPTIONS, "EVENT_MAX_BYTES": {**settings.OPTIONS["EVENT_MAX_BYTES"], "default": 2000}}
    large = {"type": "video.failed", "data": {**DATA, "more": "x" * 2000}}
    answer = admin.post("/api/v1/events/batch", {"events": [{"type": "video.failed", "data": DATA}, large]}).json()
    assert [one["status"] for one in answer["results"]] == ["created", "refused"]
    assert admin.post("/api/v1/events", {**large, "events": []}).status_code == 413


def test_an_event_past_the_cap_is_413(admin, settings):
    settings.OPTIONS = {**settings.OPTIONS, "EVENT_MAX_BYTES": {**settings.OPTIONS["EVENT_MAX_BYTES"], "default": 2000}}
    answer = admin.post("/api/v1/events", {"type": "video.failed", "data": {**DATA, "fill": "x" * 3000}})
    assert answer.status_code == 413


def test_an_event_may_name_its_subject(admin):
    admin.post("/api/v1/events", {"type": "video.failed", "data": DATA, "subject": "video:v1"})
    batch = {"events": [{"type": "video.failed", "data": DATA, "subject": "video:v1"}, {"type": "video.failed", "data": DATA}]}
    admin.post("/api/v1/events/batch", batch)
    assert admin.get("/api/v1/events", subject="video:v1").json()["count"] == 2
    assert admin.post("/api/v1/events", {"type": "video.failed", "data": DATA, "subject": "x" * 129}).status_code == 400


def test_a_batch_answers_for_each(admin):
    answer = admin.post(
        "/api/v1/events/batch",
        {
            "events": [
                {"type": "video.failed", "data": DATA, "id": "a"},
                {"type": "nope.x", "data": {}},
                {"type": "video.failed", "data": DATA, "id": "a"},
                {"data": DATA},
            ]
        },
    )
    assert answer.status_code == 202
    body = answer.json()
    assert (body["created"], body["duplicates"], body["refused"]) == (1, 1, 2)
    assert [one["status"] for one in body["results"]] == ["created", "refused", "duplicate", "refused"]
    assert "type" in body["results"][3]["errors"][0]


DEEP = '{"a":' * 240 + "1" + "}" * 240


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/events", f'{{"type": "system.status", "data": {DEEP}}}'),
        ("/api/v1/webhooks/event-types", f'{{"name": "deep.seen", "example": {DEEP}}}'),
        ("/api/v1/webhooks/endpoints", f'{{"url": "https://receiver.example/", "events": ["*"], "filter_conditions": {DEEP}}}'),
    ],
)
def test_what_could_not_be_shown_again_is_not_stored(admin, path, body):
    answer = admin.post(path, body)
    assert answer.status_code == 400
    assert "nested deeper than 200 levels" in answer.json()["detail"]


def test_what_is_nested_as_deep_as_is_taken_is_stored_and_listed(admin):
    deepest = '{"a":' * 199 + "1" + "}" * 199
    assert admin.post("/api/v1/webhooks/event-types", f'{{"name": "deep.seen", "example": {deepest}}}').status_code == 201
    assert admin.get("/api/v1/webhooks/event-types?limit=1000").status_code == 200
    assert admin.post("/api/v1/events", f'{{"type": "deep.seen", "data": {deepest}, "id": "deep"}}').status_code == 202
    assert admin.get("/api/v1/events/deep").status_code == 200


def test_an_escaped_backslash_before_u0000_is_no_nul(admin):
    assert admin.post("/api/v1/events", '{"type": "system.status", "data": {"test": true, "message": "\\\\u0000"}}').status_code == 202
    refused = admin.post("/api/v1/events", '{"type": "system.status", "data": {"test": true, "message": "\\\\\\u0000"}}')
    assert (refused.status_code, "NUL" in refused.json()["detail"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/events/batch", {"events": [1] * 50_000}),
        ("/api/v1/webhooks/endpoints", {"url": "https://r.example/", "events": ["*"], "retry_schedule": ["a"] * 50_000}),
        (
            "/api/v1/webhooks/endpoints",
            {"url": "https://r.example/", "events": ["*"], "headers": {f"H{number}": [] for number in range(50_000)}},
        ),
        ("/api/v1/webhooks/endpoints", {"url": "https://r.example/", "events": ["*"], "retry_strategy": "x" * 100_000}),
        ("/api/v1/events/batch", {"events": [1] * 1000}),
    ],
)
def test_a_refusal_is_short_however_long_the_mistake_is(admin, path, body):
    answer = admin.post(path, body)
    assert answer.status_code == 400
    assert len(answer.content) < 6000


def test_the_name_of_a_type_is_checked_whoever_makes_it():
    with pytest.raises(InvalidInput, match="small letters"):
        event_types.create(name="Order Paid")


def test_an_example_that_does_not_fit_says_where(admin):
    schema = {"properties": {"order": {"properties": {"total": {"type": "integer"}}}}}
    answer = admin.post("/api/v1/webhooks/event-types", {"name": "order.paid", "schema": schema, "example": {"order": {"total": "9"}}})
    assert answer.json()["errors"] == {"example": ['order.total: "9" is not of type "integer"']}
    answer = admin.post("/api/v1/webhooks/event-types", {"name": "order.paid", "schema": {"properties": {"a": {"type": "number!"}}}})
    assert answer.json()["errors"]["schema"][0].startswith("properties.a.type: ")


def test_a_batch_of_more_than_a_thousand_is_refused_whole(admin):
    assert admin.post("/api/v1/events/batch", {"events": [{"type": "video.failed", "data": DATA}] * 1001}).status_code == 400


def test_events_are_listed_newest_first_with_the_number_of_their_deliveries(admin):
    admin.post("/api/v1/webhooks/endpoints", {"url": "https://receiver.example/", "events": ["video.failed"]})
    for name in ("a", "b", "c"):
        admin.post("/api/v1/events", {"type": "video.failed", "data": DATA, "id": name})
    from config.kernel.flow import routing

    routing.route()
    listed = admin.get("/api/autonomous/events").json()["results"][:3]
    assert [(one["id"], one["deliveries"]) for one in listed] == [("c", 1), ("b", 1), ("a", 1)]
    assert [one["id"] for one in admin.get("/api/v1/events", type="video.failed", limit=1, offset=1).json()["results"]] == ["b"]
    assert admin.get("/api/v1/events", limit=-1).status_code == 400


def test_the_catalogue_lists_all_sixteen_names_and_ours(admin):
    listed = {one["name"] for one in admin.get("/api/v1/webhooks/event-types", limit=1000).json()["results"]}
    assert listed >= SOURCE_NAMES
    assert "endpoint.paused" in listed


def test_every_example_of_the_catalogue_fits_its_own_schema(admin):
    for row in EventType.objects.exclude(example=None):
        answer = admin.post("/api/v1/events", {"type": row.name, "data": row.example})
        assert answer.status_code == 202, (row.name, answer.content)


def test_an_event_type_of_a_program_is_checked_and_cannot_go_while_wanted(admin):
    body = {"name": "order.paid", "schema": {"type": "object", "required": ["amount"]}, "example": {"amount": 3}}
    assert admin.post("/api/v1/webhooks/event-types", body).status_code == 201
    assert admin.post("/api/v1/webhooks/event-types", body).status_code == 409
    assert admin.post("/api/v1/webhooks/event-types", {**body, "name": "order.sent", "example": {}}).status_code == 400
    assert admin.post("/api/v1/events", {"type": "order.paid", "data": {}}).status_code == 400
    admin.post("/api/v1/webhooks/endpoints", {"url": "https://receiver.example/", "events": ["order.paid"], "id": "a"})
    assert admin.delete("/api/v1/webhooks/event-types/order.paid").status_code == 409
    admin.delete("/api/v1/webhooks/endpoints/a")
    assert admin.delete("/api/v1/webhooks/event-types/order.paid").status_code == 204
    assert admin.delete("/api/v1/webhooks/event-types/video.failed").status_code == 409


def test_a_correlation_id_goes_through_answer_error_and_event(admin):
    given = {"X-Correlation-ID": "abc-1"}
    answer = admin.post("/api/v1/events", {"type": "video.failed", "data": DATA}, **given)
    assert answer.headers["X-Correlation-ID"] == "abc-1"
    assert answer.json()["correlation_id"] == "abc-1"
    refused = admin.post("/api/v1/events", {"type": "nope.x", "data": {}}, **given)
    assert refused.json()["correlation_id"] == "abc-1"


def test_a_source_is_made_rotated_paused_and_deleted(admin):
    made = admin.post("/api/v1/webhooks/sources", {"slug": "shop", "preset": "hmac"})
    assert made.status_code == 201
    assert made.json()["secret"]
    assert made.json()["url"].endswith("/in/shop")
    assert admin.post("/api/v1/webhooks/sources", {"slug": "shop", "preset": "hmac"}).status_code == 409
    assert "secret" not in admin.get("/api/v1/webhooks/sources/shop").json()
    assert admin.post("/api/v1/webhooks/sources/shop/rotate-secret").json()["secret"] != made.json()["secret"]
    assert admin.post("/api/v1/webhooks/sources/shop/pause").json()["status"] == "paused"
    assert admin.post("/api/v1/webhooks/sources/shop/resume").json()["status"] == "active"
    assert admin.get("/api/v1/webhooks/sources/shop/setup").json()["steps"]
    assert admin.delete("/api/v1/webhooks/sources/shop").status_code == 204
    assert admin.get("/api/v1/webhooks/sources/shop").status_code == 404


# PostgreSQL takes no offset beyond 16 hours, and no calendar goes past the year 9999.
@pytest.mark.parametrize("moment", ["0852-07-25T15:16:58.55+02:06", "5552-05-25T09:50:17.568-16:28", "0211-02-04T05:45:23-23:59"])
@pytest.mark.parametrize("path", ["events", "webhooks/deliveries", "webhooks/inbound"])
def test_a_list_takes_a_moment_of_any_zone(admin, path, moment):
    for name in ("since", "until"):
        assert admin.get(f"/api/v1/{path}", **{name: moment}).status_code == 200


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00", "2026-13-01T00:00:00Z"])
def test_a_moment_outside_the_calendar_is_a_sentence(admin, moment):
    assert admin.get("/api/v1/events", since=moment).status_code == 400


def test_the_longest_name_of_a_type_is_taken(admin):
    assert admin.post("/api/v1/webhooks/event-types", {"name": "a" * 63 + "." + "b" * 64}).status_code == 201
    assert admin.post("/api/v1/webhooks/event-types", {"name": "a" * 64 + "." + "b" * 64}).status_code == 400
