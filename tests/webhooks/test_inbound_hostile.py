"""What must not happen whatever is sent: no 5xx, no row that cannot be read, no second event, no memory beyond the cap."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import orjson
import pytest
from django.conf import settings as settings_of_django
from django.db import connection
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.kernel.models import Event, EventType
from tests.support.inbound import FORM, SECRET, github_headers, hex_of, post, post_github
from webhooks import inbound
from webhooks.engine.presets import PRESETS
from webhooks.models import Receipt, Source
from webhooks.services import intake, sources

pytestmark = pytest.mark.django_db

# Bodies that a sender with the right secret could send by mistake or malice.
BODIES = {
    "nothing": b"",
    "brackets": b"[" * 100_000,
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "as deep as the reader goes": b"[" * 1024 + b"]" * 1024,
    "nul in a string": b'{"a":"\\u0000","type":"a\\u0000b","id":"\\u0000"}',
    "raw nul": b'{"a":"\x00"}',
    "bad utf-8": b'{"a":"\xff\xfe"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "long number": b"9" * 5000,
    "number past 64 bits": b'{"id":123456789012345678901234567890,"n":-9223372036854775809}',
    "infinite": b'{"a":1e999}',
    "not a number": b'{"a":NaN}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a":1}'.encode("utf-16"),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "same key a thousand times": b"{" + b",".join([b'"a":1'] * 1000) + b"}",
    "script": b'{"ref":"refs/heads/<script>alert(1)</script>","type":"<script>"}',
    "long names": orjson.dumps({"type": "x" * 10_000, "id": "y" * 10_000}),
    "names that are no text": orjson.dumps({"type": {"a": 1}, "id": [1], "event": None}),
    "percent": b"payload=%",
    "many fields": b"&".join(b"a=1" for _ in range(5000)),
    "null": b"null",
}
HEADER_VALUES = ["", "\x00", "ü", "日本", "\ud800", "x" * 20_000, "' OR 1=1 --", "../..", "%00", "9" * 4300, "<script>"]


def everything_can_be_read() -> None:
    """Rows hold only what both databases and JSON can hold."""
    for receipt in Receipt.objects.all():
        orjson.dumps([receipt.delivery_id, receipt.event_type, receipt.headers, receipt.explanation, receipt.content_type])
    for event in Event.objects.all():
        assert isinstance(event.data, dict)


@pytest.fixture
def github() -> Source:
    return sources.create(slug="github", preset="github", secret=SECRET).source


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("content_type", ["application/json", FORM])
def test_signed_body_of_any_kind_is_taken_or_refused(github: Source, name: str, content_type: str) -> None:
    body = BODIES[name]
    reply = post("/in/github", body, github_headers(body), content_type=content_type)
    assert reply.status_code in (202, 400, 415)
    everything_can_be_read()


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("preset", ["bearer", "alertmanager"])
def test_names_out_of_any_body_fit_their_columns(preset: str, name: str) -> None:
    sources.create(slug="s1", preset=preset, secret=SECRET)
    reply = post("/in/s1", BODIES[name], {"Authorization": f"Bearer {SECRET}"})
    assert reply.status_code in (202, 400, 415)
    everything_can_be_read()


@pytest.mark.parametrize(
    "header", ["X-GitHub-Event", "X-GitHub-Delivery", "X-GitHub-Hook-ID", "X-Correlation-ID", "Content-Encoding", "User-Agent"]
)
@pytest.mark.parametrize("value", HEADER_VALUES)
def test_any_value_of_a_header_is_taken_or_refused(github: Source, header: str, value: str) -> None:
    body = b"{}"
    reply = post("/in/github", body, {**github_headers(body), header: value})
    assert reply.status_code in (202, 400, 415)
    everything_can_be_read()


@pytest.mark.parametrize(
    "content_type", ["", "x", "application/json" * 500, "text/html; charset=ü", "application/json; charset=nonsense", "\x00"]
)
def test_any_content_type_is_taken_or_refused(github: Source, content_type: str) -> None:
    assert post("/in/github", b"{}", github_headers(b"{}"), content_type=content_type).status_code in (202, 415)
    everything_can_be_read()


@pytest.mark.parametrize("slug", ["nobody", "x" * 500, "%00", "ü", "..%2f", "<script>", "github%20"])
def test_unknown_source_is_refused_and_leaves_no_row(slug: str) -> None:
    assert post(f"/in/{slug}", b"{}", {}).status_code in (400, 404)
    assert not Receipt.objects.exists()


def test_two_ids_that_differ_past_the_column_stay_two(github: Source) -> None:
    assert post_github({}, event="star", delivery="x" * 300 + "1").status_code == 202
    assert post_github({}, event="star", delivery="x" * 300 + "2").status_code == 202


def test_what_a_schema_says_of_a_hostile_name_can_be_stored(github: Source) -> None:
    EventType.objects.create(name="github.star", origin="inbound", schema={"additionalProperties": {"type": "string"}})
    assert post_github(b'{"a\\u0000b": 1}', event="star").status_code == 202
    assert "a?b" in Receipt.objects.get().warning


ANY_HEADERS = st.dictionaries(
    st.sampled_from(
        sorted(
            {
                name
                for rules in PRESETS.values()
                for name in (*rules.headers, *rules.id_headers, *rules.timestamp_headers, *rules.event_headers)
            }
        )
    ),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=60) | st.sampled_from(HEADER_VALUES),
    max_size=6,
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "type", "event", "alerts", "groupKey", "action", "ref"]), inner, max_size=4)
    ),
    max_leaves=12,
)
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def one_of_each() -> None:
    for preset in PRESETS:
        secret = "user:pass" if preset == "basic" else SECRET
        sources.create(slug=f"s-{preset}", preset=preset, secret=secret, rate_per_second=100_000, rate_burst=100_000)


@FUZZ
@given(
    preset=st.sampled_from(sorted(PRESETS)),
    headers=ANY_HEADERS,
    body=st.binary(max_size=200),
    content_type=st.sampled_from(["application/json", FORM, "x"]),
)
def test_random_requests_are_never_a_server_error(
    one_of_each: None, preset: str, headers: dict[str, str], body: bytes, content_type: str
) -> None:
    assert 200 <= post(f"/in/s-{preset}", body, headers, content_type=content_type).status_code < 500


@FUZZ
@given(value=JSON_VALUES, headers=ANY_HEADERS, preset=st.sampled_from(["github", "hmac", "alertmanager", "bearer"]))
def test_random_values_rightly_signed_are_never_a_server_error(one_of_each: None, value: Any, headers: dict[str, str], preset: str) -> None:
    body = bytes(value) if isinstance(value, bytes) else _json(value)
    proof = {
        "X-Hub-Signature-256": "sha256=" + hex_of(SECRET, body),
        "X-Webhook-Signature": hex_of(SECRET, body),
        "Authorization": f"Bearer {SECRET}",
    }
    kept = {name: text for name, text in headers.items() if name not in {key.lower() for key in proof}}
    assert 200 <= post(f"/in/s-{preset}", body, {**kept, **proof}).status_code < 500


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


# --- the cap -----------------------------------------------------------------------------------


class Counted:
    """A body that is made while it is read and counts what was asked of it."""

    def __init__(self, total: int) -> None:
        self.left, self.given = total, 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "reading without a limit"
        piece = b"x" * min(size, self.left)
        self.left -= len(piece)
        self.given += len(piece)
        return piece


def received(body: Counted, length: int | None, headers: dict[str, str] | None = None) -> int:
    return intake.receive("github", intake.Request({"content-type": "application/json", **(headers or {})}, length, body.read)).status_code


def test_announced_body_over_the_cap_is_not_read_at_all(github: Source) -> None:
    body = Counted(30_000_000)
    assert received(body, 30_000_000) == 413
    assert body.given == 0


def test_body_without_a_length_is_read_up_to_the_cap(github: Source) -> None:
    sources.update(github, max_body_bytes=1_000_000)
    body = Counted(50_000_000)
    assert received(body, None) == 413
    assert body.given == 1_000_001


def test_body_that_is_longer_than_it_said_is_stopped_at_the_cap(github: Source) -> None:
    sources.update(github, max_body_bytes=1000)
    body = Counted(50_000)
    assert received(body, 10) == 413
    assert body.given == 1001


def test_a_form_with_a_large_file_is_refused_before_the_file_is_written() -> None:
    length = str(settings_of_django.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    assert Client().post("/admin/login/", {"file": BytesIO(b"x")}, CONTENT_LENGTH=length).status_code == 413


def test_body_that_ends_early_is_refused(github: Source) -> None:
    assert received(Counted(10), 20) == 400
    assert Receipt.objects.get().reason == "body_incomplete"


def test_connection_that_breaks_is_refused(github: Source) -> None:
    def broken(size: int) -> bytes:
        raise ConnectionResetError

    assert intake.receive("github", intake.Request({}, None, broken)).status_code == 400


def test_body_sent_in_chunks_is_read_from_the_servers_stream(github: Source) -> None:
    request = RequestFactory().post("/in/github", b"", content_type="application/json", headers={"Transfer-Encoding": "chunked"})
    pieces: Iterator[bytes] = iter([b'{"zen"', b": 1}", b""])
    body = b'{"zen": 1}'
    request.META.update({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in github_headers(body, event="ping").items()})
    request.META.pop("CONTENT_LENGTH", None)
    request.META["CONTENT_TYPE"] = "application/json"
    request.META["wsgi.input_terminated"] = True
    request.META["wsgi.input"] = type("Stream", (), {"read": staticmethod(lambda size: next(pieces))})()
    assert inbound.receive(request, "github").status_code == 202


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "٣", ""], ids=["negative", "letter", "long", "other digits", "empty"])
def test_any_content_length_is_survived(github: Source, length: str) -> None:
    request = RequestFactory().post("/in/github", b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = length
    assert inbound.receive(request, "github").status_code in (400, 401, 413)


def test_failure_on_our_side_is_a_503_without_a_stack(github: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("webhooks.services.receipts.take", broken)
    reply = post_github({})
    assert (reply.status_code, reply["Retry-After"]) == (503, "5")
    assert set(reply.json()) == {"status", "detail", "correlation_id"}
    assert b"secret detail" not in reply.content


# --- many at once ------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_with_one_id_become_one(github: Source) -> None:
    barrier = threading.Barrier(20)

    def send(_: int) -> tuple[int, str]:
        try:
            barrier.wait(10)
            reply = post_github({"ref": "refs/heads/main"}, delivery="same")
            return reply.status_code, reply.json()["status"]
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    assert sorted(answers) == [(200, "duplicate")] * 19 + [(202, "accepted")]
    assert Event.objects.filter(type="github.push").count() == 1
    assert Receipt.objects.filter(status="accepted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_hundred_in_parallel_are_all_accepted(github: Source) -> None:
    def send(first: int) -> set[int]:
        try:
            return {post_github({"ref": "refs/heads/main"}, delivery=str(first + number)).status_code for number in range(25)}
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(send, range(0, 200, 25))) == {202}
    assert Event.objects.filter(type="github.push").count() == 200
