"""Secrets are masked in headers, URLs, data and text; what is no secret stays readable."""

import pytest

from config.kernel.wire import redact

pytestmark = pytest.mark.pure

M = redact.MASK


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "X-API-Key",
        "x-apikey",
        "X-Gitlab-Token",
        "X-Client-Secret",
        "X-Password",
    ],
)
def test_header_that_lets_someone_in_is_masked(name: str) -> None:
    assert redact.headers({name: "s3cr3t"}) == {name: M}


@pytest.mark.parametrize("name", ["Content-Type", "webhook-signature", "X-Hub-Signature-256", "webhook-id", "Retry-After", "ETag"])
def test_other_headers_and_signatures_stay(name: str) -> None:
    assert redact.headers({name: "value"}) == {name: "value"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/hook", "https://example.com/hook"),
        ("https://example.com:8443/hook?token=abc&x=1", f"https://example.com:8443/hook?token={M}&x={M}"),
        ("https://example.com/?abcdef", f"https://example.com/?{M}"),
        ("https://user:word@example.com/a", f"https://{M}@example.com/a"),
        ("https://user@example.com/a", f"https://{M}@example.com/a"),
        ("https://hooks.slack.com/services/T0/B0/xyz", f"https://hooks.slack.com/services/{M}"),
        ("https://discord.com/api/webhooks/12/abc", f"https://discord.com/api/webhooks/{M}"),
        ("https://example.com/services/a", "https://example.com/services/a"),
        ("https://example.com/#access_token=abc", f"https://example.com/#{M}"),
        ("postgres://steward:word@db:5432/x", f"postgres://{M}@db:5432/x"),
        ("https://[::1", M),
    ],
)
def test_url_keeps_what_it_points_to_and_loses_what_lets_in(url: str, expected: str) -> None:
    assert redact.url(url) == expected


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "userPassword",
        "client_secret",
        "clientSecret",
        "token",
        "access_token",
        "accessToken",
        "refreshTokens",
        "api_key",
        "apiKey",
        "x-api-key",
        "apikey",
        "private_key",
        "privateKey",
        "authorization",
        "Set-Cookie",
        "passphrase",
        "credentials",
        "old_secrets",
        "signing_key",
        "AWS_SECRET_ACCESS_KEY",
    ],
)
def test_field_with_a_telling_name_is_masked_whole(name: str) -> None:
    assert redact.data({name: "s3cr3t"}) == {name: M}
    assert redact.data({name: ["s3cr3t", {"a": 1}]}) == {name: M}


@pytest.mark.parametrize(
    "name",
    [
        "token_id",
        "secret_length",
        "password_changed_at",
        "has_secret",
        "tokens_used",
        "key",
        "monkey",
        "keyboard",
        "tokenizer",
        "author",
        "secretary",
    ],
)
def test_field_that_only_describes_stays(name: str) -> None:
    assert redact.data({name: "value"}) == {name: "value"}


def test_empty_values_and_truth_values_stay_so_that_pages_can_say_whether_a_secret_is_set() -> None:
    given = {"secret": "", "token": None, "password": True}

    assert redact.data(given) == given


def test_data_is_followed_into_lists_and_objects_and_the_original_is_untouched() -> None:
    given = {"a": [{"password": "x", "b": ("Bearer abcdef123", 3)}]}

    assert redact.data(given) == {"a": [{"password": M, "b": [f"Bearer {M}", 3]}]}
    assert given["a"][0]["password"] == "x"


def test_data_without_bottom_ends_masked() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert M in str(redact.data(endless))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.DEF-123", "abc.DEF-123"),
        ("authorization: bearer abcdef0123456789", "abcdef0123456789"),
        ("Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw used", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("key whsk_AAAA+/BBBB= here", "AAAA+/BBBB="),
        ("push with ghp_0123456789abcdefABCDEF0123456789abcd", "ghp_0123456789abcdefABCDEF0123456789abcd"),
        ("github_pat_11ABCDEFG0_abcdefghij", "11ABCDEFG0_abcdefghij"),
        ("stripe sk_live_abcdefghijklmnop failed", "sk_live_abcdefghijklmnop"),
        ("slack xoxb-123456789012-abcdef", "xoxb-123456789012-abcdef"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIiOiIxMjM0In0"),
        ("connect to postgres://steward:hunter2@db/x", "hunter2"),
        ("redis://:hunter2@cache:6379", "hunter2"),
        ("password=hunter2 and more", "hunter2"),
        ('{"api_key": "hunter2"}', "hunter2"),
        ("GET /a?access_token=hunter2&b=1", "hunter2"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ],
)
def test_text_loses_what_looks_like_a_secret(text: str, secret: str) -> None:
    found = redact.text(text)

    assert secret not in found
    assert M in found


@pytest.mark.parametrize(
    "text",
    [
        "basic authentication failed for example.com",
        "the token expired yesterday",
        "whpk_ keys are public",
        "https://example.com:8443/a@b",
        "evt_01hzx delivered in 12 ms",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact.text(text) == text
