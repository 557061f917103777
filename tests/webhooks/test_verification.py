"""Who a request comes from: the presets' proofs, times, and why a proof did not fit."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.support.inbound import SECRET, base64_of, github_headers, hex_of
from webhooks.engine import diagnosis, presets
from webhooks.engine.presets import rules_for
from webhooks.engine.verification import Incoming, Refusal, verify

pytestmark = pytest.mark.pure

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())
BODY = b'{"action": "opened", "number": 7}'
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def incoming(headers: Mapping[str, str], body: bytes = BODY, content_type: str = "application/json") -> Incoming:
    return Incoming({"content-type": content_type, **{name.lower(): value for name, value in headers.items()}}, body)


def check(preset: str, headers: Mapping[str, str], *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,), **config: Any) -> None:
    verify(incoming(headers, body), rules=rules_for(preset, config), secrets=secrets, now=NOW)


def code_of(preset: str, headers: Mapping[str, str], *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,), **config: Any) -> str:
    with pytest.raises(Refusal) as caught:
        check(preset, headers, body=body, secrets=secrets, **config)
    return caught.value.code


def signed(preset: str, secret: str = SECRET, body: bytes = BODY, stamp: int = STAMP) -> dict[str, str]:
    """Headers with which a request passes."""
    basic = b64encode(secret.encode()).decode()
    standard = base64_of(b64decode(STANDARD[6:]), f"m1.{stamp}.".encode() + body)
    made: dict[str, dict[str, str]] = {
        "github": github_headers(body, secret=secret),
        "gitlab": {"X-Gitlab-Token": secret},
        "stripe": {"Stripe-Signature": f"t={stamp},v1={hex_of(secret, f'{stamp}.'.encode() + body)}"},
        "slack": {
            "X-Slack-Request-Timestamp": str(stamp),
            "X-Slack-Signature": "v0=" + hex_of(secret, f"v0:{stamp}:".encode() + body),
        },
        "shopify": {"X-Shopify-Hmac-Sha256": base64_of(secret.encode(), body)},
        "standard": {"webhook-id": "m1", "webhook-timestamp": str(stamp), "webhook-signature": f"v1,{standard}"},
        "alertmanager": {"Authorization": f"Bearer {secret}"},
        "hmac": {"X-Webhook-Signature": "sha256=" + hex_of(secret, body)},
        "bearer": {"Authorization": f"Bearer {secret}"},
        "basic": {"Authorization": f"Basic {basic}"},
    }
    return made[preset]


def secret_of(preset: str) -> str:
    return STANDARD if preset == "standard" else "user:pass" if preset == "basic" else SECRET


EVERY = sorted(presets.PRESETS)


def test_the_published_vector_of_github_holds() -> None:
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check("github", {"X-Hub-Signature-256": header}, body=b"Hello, World!")


def test_the_published_vector_of_standard_webhooks_holds() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = incoming(headers, b'{"test": 2432232314}')
    verify(request, rules=rules_for("standard", {}), secrets=[STANDARD], now=datetime.fromtimestamp(1614265330, UTC))


@pytest.mark.parametrize("preset", EVERY)
def test_right_proof_passes(preset: str) -> None:
    check(preset, signed(preset, secret_of(preset)), secrets=(secret_of(preset),))


@pytest.mark.parametrize("preset", EVERY)
def test_second_secret_passes_during_rotation(preset: str) -> None:
    check(preset, signed(preset, secret_of(preset)), secrets=("some-other:secret", secret_of(preset)))


@pytest.mark.parametrize("preset", EVERY)
def test_wrong_secret_is_refused_with_the_same_words(preset: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(preset, signed(preset, secret_of(preset)), secrets=("some-other:secret",))
    assert (caught.value.http_status, caught.value.detail) == (401, "Signature missing or wrong.")


@pytest.mark.parametrize("preset", EVERY)
def test_missing_header_is_refused(preset: str) -> None:
    assert code_of(preset, {}, secrets=(secret_of(preset),)) == "signature_missing"


@pytest.mark.parametrize("preset", sorted(set(EVERY) - {"gitlab", "alertmanager", "bearer", "basic"}))
def test_changed_white_space_in_the_body_is_refused(preset: str) -> None:
    headers = signed(preset, secret_of(preset))
    assert code_of(preset, headers, body=BODY.replace(b" ", b""), secrets=(secret_of(preset),)) == "wrong_secret"


@pytest.mark.parametrize("preset", EVERY)
@pytest.mark.parametrize("secrets", [(), ("",)])
def test_without_a_secret_nothing_passes(preset: str, secrets: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as caught:
        check(preset, signed(preset, ""), secrets=secrets)
    assert (caught.value.code, caught.value.http_status) == ("secret_unset", 503)


def test_old_sha1_signature_alone_is_refused_and_told_apart() -> None:
    assert code_of("github", {"X-Hub-Signature": "sha1=" + hex_of(SECRET, BODY, "sha1")}) == "sha1_only"


def test_github_wants_its_prefix() -> None:
    assert code_of("github", {"X-Hub-Signature-256": hex_of(SECRET, BODY)}) == "signature_malformed"


MALFORMED = [
    "",
    " ",
    "sha256=",
    "sha256=zz",
    "sha256=" + "0" * 63,
    "v0=ü",
    "v1,",
    "v1,???",
    "t=,v1=",
    "t=1,v1=zz",
    "Bearer",
    "Basic ü",
    "ü" * 9,
    "\x00",
]


@pytest.mark.parametrize("preset", EVERY)
@pytest.mark.parametrize("value", [*MALFORMED, "sha256=" + "9" * 10_000, "\ud800", "日本"])
def test_malformed_proof_raises_nothing_but_a_refusal(preset: str, value: str) -> None:
    rules = rules_for(preset, {})
    headers = {**signed(preset, secret_of(preset)), rules.headers[0]: value}
    assert code_of(preset, headers, secrets=(secret_of(preset),))


@pytest.mark.parametrize(
    "stamp", ["", "x", "9" * 4300, "-1", "1e9", "٣", "2026-13-45", "9999-12-31T23:59:59+14:00", "0001-01-01", "\x00", "\ud800"]
)
@pytest.mark.parametrize("preset", ["slack", "standard", "hmac", "bearer", "basic", "stripe"])
def test_malformed_time_raises_nothing_but_a_refusal(preset: str, stamp: str) -> None:
    headers = {
        **signed(preset, secret_of(preset)),
        "X-Webhook-Timestamp": stamp,
        "X-Slack-Request-Timestamp": stamp,
        "webhook-timestamp": stamp,
    }
    if preset == "stripe":
        headers["Stripe-Signature"] = headers["Stripe-Signature"].replace(str(STAMP), stamp)
    if preset in ("hmac", "bearer", "basic") and not stamp:
        check(preset, headers, secrets=(secret_of(preset),))
    else:
        assert code_of(preset, headers, secrets=(secret_of(preset),))


@pytest.mark.parametrize("preset", ["stripe", "slack", "standard"])
@pytest.mark.parametrize(("age", "passes"), [(299, True), (300, True), (301, False), (-299, True), (-301, False)])
def test_signed_time_may_be_five_minutes_off(preset: str, age: int, passes: bool) -> None:
    headers = signed(preset, secret_of(preset), stamp=STAMP - age)
    if passes:
        check(preset, headers, secrets=(secret_of(preset),))
    else:
        assert code_of(preset, headers, secrets=(secret_of(preset),)) == "clock_skew"


@pytest.mark.parametrize(("age", "passes"), [(299, True), (301, False), (-301, False)])
@pytest.mark.parametrize("is_covered", [True, False])
def test_generic_time_may_be_five_minutes_off(age: int, passes: bool, is_covered: bool) -> None:
    stamp = str(STAMP - age)
    content = f"{stamp}.".encode() + BODY if is_covered else BODY
    headers = {"X-Webhook-Timestamp": stamp, "X-Webhook-Signature": "sha256=" + hex_of(SECRET, content)}
    if passes:
        check("hmac", headers)
    else:
        assert code_of("hmac", headers) == "clock_skew"


@pytest.mark.parametrize(
    "text", [str(STAMP), str(STAMP * 1000), "2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00"]
)
def test_time_may_be_seconds_milliseconds_or_iso(text: str) -> None:
    check("bearer", {**signed("bearer"), "X-Webhook-Timestamp": text})


def test_signature_over_time_and_body_can_be_demanded() -> None:
    headers = {"X-Webhook-Timestamp": str(STAMP), **signed("hmac")}
    assert code_of("hmac", headers, signed="timestamp.body") == "wrong_secret"
    headers["X-Webhook-Signature"] = hex_of(SECRET, f"{STAMP}.".encode() + BODY)
    check("hmac", headers, signed="timestamp.body")
    assert code_of("hmac", signed("hmac"), signed="timestamp.body") == "timestamp_missing"


@pytest.mark.parametrize("headers", [{}, {"X-Webhook-Timestamp": str(STAMP)}], ids=["no time", "a new time"])
@pytest.mark.parametrize("body", [BODY, b"a=1&payload=%7B%7D"])
def test_what_was_signed_with_its_time_is_no_body_signed_without_one(body: bytes, headers: dict[str, str]) -> None:
    old = f"{STAMP - 3600}.".encode() + body
    assert code_of("hmac", {"X-Webhook-Signature": hex_of(SECRET, old), **headers}, body=old) in ("timestamp_missing", "wrong_secret")


@pytest.mark.parametrize("algorithm", presets.ALGORITHMS)
@pytest.mark.parametrize("encoding", presets.ENCODINGS)
def test_generic_signature_is_configurable(algorithm: str, encoding: str) -> None:
    text = hex_of(SECRET, BODY, algorithm) if encoding == "hex" else base64_of(SECRET.encode(), BODY, algorithm)
    config: dict[str, Any] = {"algorithm": algorithm, "encoding": encoding, "header": "X-Sig", "prefix": "mac "}
    check("hmac", {"X-Sig": f"mac {text}"}, **config)


def test_of_several_stripe_signatures_one_is_enough() -> None:
    good = signed("stripe")["Stripe-Signature"]
    check("stripe", {"Stripe-Signature": good.replace(",v1=", ",v1=00ff,v0=11,v1=zz,v1=")})


def test_of_several_standard_tokens_one_is_enough() -> None:
    headers = signed("standard")
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']}"
    check("standard", headers, secrets=(STANDARD,))


# --- why it did not fit ------------------------------------------------------------------------


def why(
    headers: Mapping[str, str], body: bytes = BODY, *, secret: str = SECRET, old: str = "", content_type: str = "application/json"
) -> Refusal:
    request, rules = incoming(headers, body, content_type), rules_for("github", {})
    expired = [(old, NOW - timedelta(hours=1))] if old else []
    try:
        verify(request, rules=rules, secrets=[secret], now=NOW)
    except Refusal as refusal:
        return diagnosis.diagnose(refusal, request, rules=rules, secrets=[secret], expired=expired)
    raise AssertionError("it passed")


def test_old_secret_is_recognised() -> None:
    refusal = why(github_headers(BODY, secret="the one before"), old="the one before")
    assert refusal.code == "old_secret"
    assert "2026-03-01 11:00" in refusal.explanation


@pytest.mark.parametrize(
    "arrived",
    [orjson.dumps(orjson.loads(BODY)), BODY + b"\n", orjson.dumps(orjson.loads(BODY), option=orjson.OPT_INDENT_2)],
    ids=["compact", "line end", "indented"],
)
def test_body_written_anew_on_the_way_is_recognised(arrived: bytes) -> None:
    assert why(github_headers(BODY), arrived).code == "body_reserialised"


def test_signature_over_the_json_inside_a_form_is_recognised() -> None:
    refusal = why(github_headers(b'{"a":1}'), b"payload=%7B%22a%22%3A1%7D", content_type="application/x-www-form-urlencoded")
    assert refusal.code == "body_reserialised"


def test_line_end_in_the_senders_secret_is_recognised() -> None:
    assert why(github_headers(BODY, secret=SECRET + "\n")).code == "secret_whitespace"


def test_unknown_secret_stays_a_wrong_secret() -> None:
    assert why(github_headers(BODY, secret="never ours")).code == "wrong_secret"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 5000, b"[" * 900 + b"]" * 900, b"9" * 5000])
def test_no_body_makes_the_diagnosis_fail(body: bytes) -> None:
    assert why(github_headers(b"other"), body).code == "wrong_secret"


@pytest.mark.parametrize("preset", EVERY)
def test_explanations_hold_no_secret(preset: str) -> None:
    secret = secret_of(preset)
    with pytest.raises(Refusal) as caught:
        check(preset, signed(preset, secret), body=b"{}", secrets=("other:one",))
    assert secret not in caught.value.explanation


# --- settings of a source ----------------------------------------------------------------------


def test_github_has_no_settings_to_get_wrong() -> None:
    assert "header" in presets.problems("github", {"header": "X-Other"})


@pytest.mark.parametrize(
    "config",
    [
        {"algorithm": "md5"},
        {"encoding": "rot13"},
        {"signed": "url"},
        {"tolerance_seconds": 0},
        {"tolerance_seconds": True},
        {"header": ""},
        {"header": 5},
    ],
)
def test_bad_settings_are_named(config: dict[str, object]) -> None:
    assert list(presets.problems("hmac", config)) == list(config)


@pytest.mark.parametrize("preset", EVERY)
def test_every_preset_is_a_choice_of_the_model_and_has_steps(preset: str) -> None:
    from webhooks.engine import setup
    from webhooks.enums import Preset

    assert preset in Preset.values
    assert any("https://ops.example/in/x" in step for step in setup.steps(preset, "https://ops.example/in/x", rules_for(preset, {})))
