"""Verifying deliveries: the published vectors, and everything a hostile sender may put into a header."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from steward_client import Event, VerificationError, verify, verify_signature

pytestmark = pytest.mark.pure

# The vector of the Standard Webhooks specification; its body is no event of ours.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = json.dumps(
    {
        "event": "video.completed",
        "eventType": "video.completed",
        "eventId": "evt_1",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "data": {"videoId": "v1", "title": "é 🎬"},
    },
    ensure_ascii=False,
).encode()
GITHUB = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def signed(body: bytes = BODY, *, secret: str = SECRET, age: float = 0, delivery_id: str = "evt_1") -> dict[str, str]:
    timestamp = str(int(time.time() - age))
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    token = base64.b64encode(hmac.new(key, b".".join((delivery_id.encode(), timestamp.encode(), body)), hashlib.sha256).digest()).decode()
    return {"Webhook-Id": delivery_id, "Webhook-Timestamp": timestamp, "Webhook-Signature": f"v1,{token}"}


def test_the_published_vector_holds():
    with pytest.raises(VerificationError, match="no event of Steward"):
        verify(b'{"test": 2432232314}', VECTOR, SECRET, tolerance_seconds=10**10)


def test_the_published_vector_with_another_byte_does_not():
    with pytest.raises(VerificationError, match="No signature fits"):
        verify(b'{"test": 2432232315}', VECTOR, SECRET, tolerance_seconds=10**10)


def test_a_signed_delivery_gives_its_event():
    event = verify(BODY, signed(), SECRET)
    assert event == Event("evt_1", "video.completed", {"videoId": "v1", "title": "é 🎬"}, "2026-01-02T03:04:05.678Z", "evt_1")


def test_a_secret_of_another_form_is_taken_as_it_is():
    assert verify(BODY, signed(secret="plain words"), "plain words").id == "evt_1"


def test_one_of_several_secrets_is_enough():
    assert verify(BODY, signed(), ["whsec_b3RoZXI=", SECRET]).id == "evt_1"


def test_one_of_several_tokens_is_enough():
    headers = signed()
    headers["Webhook-Signature"] = f"v1a,AAAA v1,BBBB {headers['Webhook-Signature']}"
    assert verify(BODY, headers, SECRET).id == "evt_1"


@pytest.mark.parametrize("age", [310, -310])
def test_a_delivery_out_of_time_is_refused(age):
    with pytest.raises(VerificationError, match="Compare the clocks"):
        verify(BODY, signed(age=age), SECRET)


@pytest.mark.parametrize("age", [290, -290])
def test_a_delivery_within_five_minutes_is_taken(age):
    assert verify(BODY, signed(age=age), SECRET).id == "evt_1"


@pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_header_is_named(name):
    headers = signed()
    del headers[name]
    with pytest.raises(VerificationError, match=name.lower()):
        verify(BODY, headers, SECRET)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Webhook-Timestamp", "9" * 4300),
        ("Webhook-Timestamp", "-1"),
        ("Webhook-Timestamp", "١٢٣"),
        ("Webhook-Timestamp", ""),
        ("Webhook-Signature", ""),
        ("Webhook-Signature", "v1"),
        ("Webhook-Signature", "v1,"),
        ("Webhook-Signature", "v1,🎬"),
        ("Webhook-Signature", "v1,\udc80"),
        ("Webhook-Id", "\udc80"),
    ],
)
def test_a_hostile_header_is_refused_and_raises_nothing_else(name, value):
    with pytest.raises(VerificationError):
        verify(BODY, {**signed(), name: value}, SECRET)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"eventId": 1}', b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_event_is_refused(body):
    with pytest.raises(VerificationError, match="no event of Steward"):
        verify(body, signed(body), SECRET)


def test_no_secret_verifies_nothing():
    with pytest.raises(VerificationError):
        verify(BODY, signed(), "")


def test_the_vector_of_github_holds():
    signature = f"sha256={GITHUB}"
    assert verify_signature(b"Hello, World!", signature, "It's a Secret to Everybody") is True


@pytest.mark.parametrize(
    "signature",
    ["", "sha256=", GITHUB, "sha256=" + "0" * 64, "sha256=é", "sha256=\udc80"],
)
def test_any_other_signature_is_false(signature):
    assert verify_signature(b"Hello, World!", signature, "It's a Secret to Everybody") is False
