"""Signatures: published vectors, the reference libraries, rotation, and verifiers that nothing can make raise."""

import base64
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix.webhooks
import time_machine
from hypothesis import given
from hypothesis import strategies as some

from config.kernel.wire import signing

pytestmark = pytest.mark.pure

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MSG_ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
TOKEN = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SENT_AT = datetime.fromtimestamp(TIMESTAMP, UTC)


def signed(token: str = TOKEN, *, msg_id: str = MSG_ID, timestamp: object = TIMESTAMP) -> dict[str, str]:
    return {"webhook-id": msg_id, "webhook-timestamp": str(timestamp), "webhook-signature": token}


def reason(headers: dict[str, str], *, secrets: list[str] | None = None, body: bytes = BODY, now: datetime | float = TIMESTAMP) -> str:
    with pytest.raises(signing.SignatureError) as caught:
        signing.standard_verify([SECRET] if secrets is None else secrets, headers, body, now)
    return caught.value.reason


def test_standard_signature_equals_the_published_vector() -> None:
    assert signing.standard_sign(SECRET, MSG_ID, TIMESTAMP, BODY) == TOKEN


def test_hub_signature_equals_the_published_vector() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    assert signing.hub_sign("It's a Secret to Everybody", b"Hello, World!") == expected


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@time_machine.travel(SENT_AT, tick=False)
def test_reference_library_accepts_our_signature(library) -> None:
    secret = signing.new_secret()
    headers = signed(signing.standard_sign(secret, MSG_ID, TIMESTAMP, BODY))

    library(secret).verify(BODY, headers)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
def test_we_accept_the_signature_of_a_reference_library(library) -> None:
    secret = signing.new_secret()
    token = library(secret).sign(MSG_ID, SENT_AT, BODY.decode())

    signing.standard_verify([secret], signed(token), BODY, SENT_AT)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
@time_machine.travel(SENT_AT, tick=False)
def test_reference_library_finds_its_token_beside_old_and_asymmetric_ones(library) -> None:
    new, old, (private, _) = signing.new_secret(), signing.new_secret(), signing.ed25519_new()
    tokens = [signing.standard_sign(secret, MSG_ID, TIMESTAMP, BODY) for secret in (new, old)]
    header = " ".join([*tokens, signing.ed25519_sign(private, MSG_ID, TIMESTAMP, BODY)])

    for secret in (new, old):
        library(secret).verify(BODY, signed(header))


def test_unpadded_secret_is_read_as_the_reference_libraries_read_it() -> None:
    secret = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode().rstrip("=")

    ours = signing.standard_sign(secret, MSG_ID, TIMESTAMP, BODY)

    assert ours == standardwebhooks.Webhook(secret).sign(MSG_ID, SENT_AT, BODY.decode())


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("whsec_" + base64.b64encode(b"k" * 24).decode(), b"k" * 24),
        ("plain text", b"plain text"),
        ("schlüssel", "schlüssel".encode()),
        ("whsec_", b"whsec_"),
        ("whsec_not base64!", b"whsec_not base64!"),
        ("whsec_a", b"whsec_a"),
        ("", b""),
    ],
)
def test_secret_bytes_are_the_decoded_base64_or_the_text_itself(secret: str, expected: bytes) -> None:
    assert signing.secret_bytes(secret) == expected


@pytest.mark.parametrize("length", [24, 32, 64])
def test_new_secret_has_the_asked_length_and_is_never_the_same(length: int) -> None:
    assert len(signing.secret_bytes(signing.new_secret(length))) == length
    assert signing.new_secret(length) != signing.new_secret(length)


def test_hub_signature_is_keyed_by_the_secret_as_it_is_shown() -> None:
    decoded = signing.secret_bytes(SECRET).decode("latin-1")

    assert signing.hub_verify(SECRET, signing.hub_sign(SECRET, BODY), BODY)
    assert signing.hub_sign(SECRET, BODY) != signing.hub_sign(decoded, BODY)


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_a_time_within_the_tolerance_is_taken(age: int) -> None:
    signing.standard_verify([SECRET], signed(), BODY, TIMESTAMP + age)


def test_header_names_are_taken_in_any_case() -> None:
    signing.standard_verify([SECRET], {name.title(): value for name, value in signed().items()}, BODY, SENT_AT)


def test_old_secret_still_verifies_during_a_rotation() -> None:
    signing.standard_verify(["", signing.new_secret(), SECRET], signed(), BODY, SENT_AT)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "missing_header"),
        (signed(""), "missing_header"),
        (signed(msg_id=""), "missing_header"),
        (signed(timestamp=""), "missing_header"),
        (signed(timestamp="now"), "bad_timestamp"),
        (signed(timestamp="9" * 4300), "bad_timestamp"),
        (signed(timestamp="9" * 5000), "bad_timestamp"),
        (signed(timestamp="-1"), "bad_timestamp"),
        (signed(timestamp="1e9"), "bad_timestamp"),
        (signed(timestamp="١٦١٤٢٦٥٣٣٠"), "bad_timestamp"),
        (signed(timestamp="1614265330.5"), "bad_timestamp"),
        (signed(timestamp="nan"), "bad_timestamp"),
        (signed(timestamp=TIMESTAMP - 301), "too_old"),
        (signed(timestamp=TIMESTAMP + 301), "too_new"),
        (signed(timestamp=0), "too_old"),
        (signed("g0hM9SsE"), "no_match"),
        (signed("v1"), "no_match"),
        (signed(","), "no_match"),
        (signed("v1,,"), "no_match"),
        (signed("v1,é"), "no_match"),
        (signed("v1,\udcff"), "no_match"),
        (signed("v1,not base64"), "no_match"),
        (signed("v1a,AAAA"), "no_match"),
        (signed("v0" + TOKEN[2:]), "no_match"),
        (signed("V1" + TOKEN[2:]), "no_match"),
        (signed(TOKEN[:-2]), "no_match"),
        (signed(TOKEN + "="), "no_match"),
        (signed(msg_id="msg_other"), "no_match"),
        (signed(msg_id="\udcff"), "no_match"),
        (signed("v1, " * 2000), "no_match"),
    ],
)
def test_a_bad_header_is_refused_with_its_reason(headers: dict[str, str], expected: str) -> None:
    assert reason(headers) == expected


def test_another_body_another_secret_and_no_secret_are_told_apart() -> None:
    assert reason(signed(), body=BODY + b" ") == "no_match"
    assert reason(signed(), secrets=[signing.new_secret()]) == "no_match"
    assert reason(signed(), secrets=[]) == "no_secret"
    assert reason(signed(), secrets=[""]) == "no_secret"


def test_an_empty_secret_verifies_nothing() -> None:
    assert not signing.hub_verify("", signing.hub_sign("", BODY), BODY)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "sha256=",
        "sha256",
        "757107ea",
        "sha1=757107ea",
        "SHA256=" + "0" * 64,
        "sha256=" + "0" * 63,
        "sha256=é",
        "\udcff",
        "sha256=" + "0" * 64,
    ],
)
def test_receiver_helper_says_false_and_never_raises(header: str) -> None:
    assert signing.verify_signature(BODY, header, "secret") is False


def test_receiver_helper_accepts_its_own_signature_with_prefix_only() -> None:
    header = signing.hub_sign("secret", BODY)

    assert signing.verify_signature(BODY, header, "secret") is True
    assert signing.verify_signature(BODY, header.removeprefix("sha256="), "secret") is False


@given(secret=some.text(), header=some.text(), body=some.binary(max_size=64))
def test_hub_verifier_survives_any_text(secret: str, header: str, body: bytes) -> None:
    assert signing.hub_verify(secret, header, body) is False


@given(values=some.tuples(some.text(), some.text(), some.text()), secret=some.text(), body=some.binary(max_size=64))
def test_standard_verifier_raises_nothing_but_its_own_error(values: tuple[str, str, str], secret: str, body: bytes) -> None:
    headers = dict(zip(("webhook-id", "webhook-timestamp", "webhook-signature"), values, strict=True))

    with pytest.raises(signing.SignatureError):
        signing.standard_verify([secret], headers, body, TIMESTAMP)


def test_ed25519_signature_verifies_with_its_public_key_only() -> None:
    (private, public), (_, other) = signing.ed25519_new(), signing.ed25519_new()
    token = signing.ed25519_sign(private, MSG_ID, TIMESTAMP, BODY)

    assert token.startswith("v1a,")
    assert signing.ed25519_verify(public, token, MSG_ID, TIMESTAMP, BODY)
    assert not signing.ed25519_verify(other, token, MSG_ID, TIMESTAMP, BODY)
    assert not signing.ed25519_verify(public, token, MSG_ID, TIMESTAMP, BODY + b" ")
    assert signing.ed25519_public(private) == public


def test_ed25519_writes_64_bytes_and_takes_32_as_well() -> None:
    private, public = signing.ed25519_new()
    raw = base64.b64decode(private.removeprefix("whsk_"))
    short = "whsk_" + base64.b64encode(raw[:32]).decode()

    assert len(raw) == 64
    assert signing.ed25519_sign(short, MSG_ID, TIMESTAMP, BODY) == signing.ed25519_sign(private, MSG_ID, TIMESTAMP, BODY)
    assert signing.ed25519_public(short) == public


@pytest.mark.parametrize("private", ["", "whsk_", "whsk_!!", "whsk_" + "A" * 8, SECRET, "whsk_" + base64.b64encode(b"x" * 64).decode()])
def test_malformed_signing_key_is_refused(private: str) -> None:
    with pytest.raises(signing.SignatureError) as caught:
        signing.ed25519_sign(private, MSG_ID, TIMESTAMP, BODY)

    assert caught.value.reason == "bad_key"


@pytest.mark.parametrize("public", ["", "whpk_", "whpk_!!", "whpk_" + "A" * 8, "whpk_" + "A" * 43 + "="])
@pytest.mark.parametrize("token", ["", "v1a", "v1a,", "v1a,AAAA", "v1a,é", "v1a,\udcff", "v1," + "A" * 86 + "=="])
def test_ed25519_verifier_says_false_and_never_raises(public: str, token: str) -> None:
    assert signing.ed25519_verify(public, token, MSG_ID, TIMESTAMP, BODY) is False


def test_standard_verifier_takes_a_public_key_for_asymmetric_tokens_only() -> None:
    private, public = signing.ed25519_new()

    signing.standard_verify([public], signed(signing.ed25519_sign(private, MSG_ID, TIMESTAMP, BODY)), BODY, SENT_AT)

    assert reason(signed(signing.standard_sign(public, MSG_ID, TIMESTAMP, BODY)), secrets=[public]) == "no_match"
