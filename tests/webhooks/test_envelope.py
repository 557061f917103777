"""The signed request of one attempt: exactly these headers, exactly these bytes."""

import hashlib
import hmac
import re
from typing import Any

import orjson
import pytest
import standardwebhooks
import svix.webhooks
import time_machine

from config.kernel.wire import signing
from webhooks.engine import envelope
from webhooks.engine.envelope import Credentials, Message

pytestmark = pytest.mark.pure
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"event":"video.failed","data":{"title":"é 🎬","nested":{"a":[1]}}}'.encode()
URL = "https://app.example.com/hook"


def headers_of(credentials: Credentials, **changes: Any) -> dict[str, str]:
    message = Message(**{"event_type": "video.failed", "uid": "evt_1", "body": BODY, "attempt": 2, "timestamp": 1614265330, **changes})
    return dict(envelope.sign(message, url=URL, credentials=credentials).headers)


def test_the_published_vector_of_standard_webhooks() -> None:
    found = headers_of(Credentials(secret=SECRET), uid="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}')
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_of_github() -> None:
    found = headers_of(Credentials(secret="It's a Secret to Everybody"), body=b"Hello, World!")
    assert found["X-Hub-Signature-256"] == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_an_hmac_delivery_has_exactly_these_headers() -> None:
    found = headers_of(Credentials(secret="plain secret"), correlation_id="4bf92f3577b34da6a3ce929d0e0e4736")
    expected = "sha256=" + hmac.new(b"plain secret", BODY, hashlib.sha256).hexdigest()
    assert found == {
        "Content-Type": "application/json",
        "User-Agent": envelope.USER_AGENT,
        "webhook-id": "evt_1",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signing.standard_sign("plain secret", "evt_1", 1614265330, BODY),
        "X-Hub-Signature-256": expected,
        "X-Webhook-Signature": expected,
        "X-Webhook-Event": "video.failed",
        "X-Webhook-Id": "evt_1",
        "X-Webhook-Attempt": "2",
        "X-Webhook-Timestamp": "1614265330",
        "X-Correlation-ID": "4bf92f3577b34da6a3ce929d0e0e4736",
        "traceparent": found["traceparent"],
    }
    assert found["traceparent"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")


def test_the_body_goes_out_as_it_came_in() -> None:
    signed = envelope.sign(Message("video.failed", "evt_1", BODY, 1, 1), url=URL, credentials=Credentials(secret=SECRET))
    assert signed.body is BODY
    assert signed.url == URL


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@time_machine.travel(1614265330, tick=False)
def test_independent_libraries_accept_it_and_no_other_bytes(library: Any) -> None:
    found = headers_of(Credentials(secret=SECRET))
    library(SECRET).verify(BODY, found)
    with pytest.raises((standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError)):
        library(SECRET).verify(BODY + b" ", found)


def test_old_secrets_sign_beside_the_new_one() -> None:
    found = headers_of(Credentials(secret=SECRET, old_secrets=[OLD]))
    tokens = found["webhook-signature"].split(" ")
    assert tokens == [signing.standard_sign(secret, "evt_1", 1614265330, BODY) for secret in (SECRET, OLD)]
    assert found["X-Webhook-Signature"] == signing.hub_sign(SECRET, BODY)


def test_a_signing_key_adds_an_ed25519_token() -> None:
    private, public = signing.ed25519_new()
    found = headers_of(Credentials(secret=SECRET, signing_key=private))
    v1, v1a = found["webhook-signature"].split(" ")
    assert v1.startswith("v1,")
    assert signing.ed25519_verify(public, v1a, "evt_1", 1614265330, BODY)


SIGNATURES = {"webhook-signature", "X-Hub-Signature-256", "X-Webhook-Signature"}


def test_a_bearer_delivery_has_its_token_and_no_signature() -> None:
    private, _ = signing.ed25519_new()
    found = headers_of(Credentials("bearer_token", "tok-1", old_secrets=["tok-0"], signing_key=private))
    assert found["Authorization"] == "Bearer tok-1"
    assert not SIGNATURES & set(found)
    assert "X-API-Key" not in found


def test_an_api_key_delivery_has_its_key_alone() -> None:
    found = headers_of(Credentials("api_key", "key-1"))
    assert found["X-API-Key"] == "key-1"
    assert not (SIGNATURES | {"Authorization"}) & set(found)


def test_an_open_delivery_has_no_proof_at_all() -> None:
    found = headers_of(Credentials("none"))
    assert not (SIGNATURES | {"Authorization", "X-API-Key"}) & set(found)
    assert found["X-Webhook-Event"] == "video.failed"


def test_own_headers_are_added_and_never_outdo_ours() -> None:
    found = headers_of(Credentials(secret=SECRET, headers={"X-Tenant": "7", "Webhook-Id": "forged", "content-type": "text/html"}))
    assert found["X-Tenant"] == "7"
    assert "forged" not in found.values()
    assert "text/html" not in found.values()


@pytest.mark.parametrize(
    "name",
    [
        "Content-Type",
        "HOST",
        "webhook-signature",
        "X-Webhook-Anything",
        "X-Hub-Signature-256",
        "Content-Length",
        "Proxy-Authorization",
        ":path",
    ],
)
def test_reserved_headers_are_refused(name: str) -> None:
    assert envelope.header_problems({name: "x"}, security="hmac_sha256")


@pytest.mark.parametrize(
    "headers",
    [
        {"X A": "1"},
        {"X-A": "a\r\nB: c"},
        {"X-A": 5},
        {"X-A": "é"},
        {"X-A": "a" * 5000},
        {"": "x"},
        {"X-A": "1", "x-a": "2"},
        ["X-A"],
        "X-A: 1",
    ],
)
def test_headers_that_could_break_a_request_are_refused(headers: Any) -> None:
    assert envelope.header_problems(headers, security="hmac_sha256")


def test_credentials_may_be_added_only_where_we_send_none_ourselves() -> None:
    assert not envelope.header_problems({"Authorization": "Basic YQ=="}, security="hmac_sha256")
    assert envelope.header_problems({"Authorization": "Basic YQ=="}, security="api_key")
    assert envelope.header_problems({"x-api-key": "k"}, security="bearer_token")


@pytest.mark.parametrize("correlation", ["", "0" * 32, "req-17", "0af76519-16cd-43dd-8448-eb211c80319c"])
def test_the_trace_header_is_always_well_formed(correlation: str) -> None:
    found = headers_of(Credentials(secret=SECRET), correlation_id=correlation)["traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", found)
    assert "0" * 32 not in found


def test_attempts_of_one_delivery_share_a_trace_and_differ_in_span() -> None:
    first, second = (headers_of(Credentials(secret=SECRET), attempt=number)["traceparent"].split("-") for number in (1, 2))
    assert first[1] == second[1]
    assert first[2] != second[2]


def test_secrets_do_not_show_when_credentials_are_printed() -> None:
    assert SECRET not in repr(Credentials(secret=SECRET, old_secrets=[SECRET], headers={"X": SECRET}))


def test_a_batch_holds_its_envelopes_byte_for_byte() -> None:
    bodies = [BODY, b'{"event":"a",  "data":{"x":1.0}}']
    found = envelope.batch_body(uid="bat_1", timestamp="2026-03-01T12:00:00.000Z", bodies=bodies)
    assert b",".join(bodies) in found
    read = orjson.loads(found)
    assert list(read) == ["event", "eventType", "eventId", "timestamp", "data"]
    assert (read["event"], read["eventType"], read["eventId"]) == ("events.batch", "events.batch", "bat_1")
    assert [one["event"] for one in read["data"]["events"]] == ["video.failed", "a"]
