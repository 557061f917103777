"""The action http_request against real receivers: what is sent, what counts as success, what is tried again."""

import pytest

from config.acts.plugins.actions import actions
from config.acts.running import forms
from config.kernel.flow.errors import InvalidInput, TemporaryError
from config.kernel.flow.outcomes import Done, Failed
from config.kernel.language import json_text
from config.kernel.wire import http
from tests.support import receivers
from tests.support.deeds import perform

pytestmark = pytest.mark.pure

KEY = "automation.http_request"


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings):
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    yield
    http.close_pools()


def test_the_receiver_gets_method_headers_and_json_and_the_reply_is_kept():
    with receivers.ok(status=201, body=b'{"id":7}') as sink:
        done = perform(KEY, {"method": "POST", "url": sink.url, "headers": {"X-Team": "ops"}, "json": {"a": [1]}}, key="inv_7")
    [came] = sink.requests
    assert (came.method, came.body, came.headers["x-team"]) == ("POST", b'{"a":[1]}', "ops")
    assert (came.headers["content-type"], came.headers["idempotency-key"]) == ("application/json", "inv_7")
    assert isinstance(done, Done)
    assert (done.output["status"], done.output["json"]) == (201, {"id": 7})


def test_a_body_goes_out_as_it_was_typed():
    with receivers.ok(body=b"plain words") as sink:
        done = perform(KEY, {"method": "PUT", "url": sink.url, "body": "  <a/>\n", "headers": {"Content-Type": "text/xml"}})
    assert sink.requests[0].body == b"  <a/>\n"
    assert done.output["body"] == "plain words"


def test_a_reply_that_never_ends_is_cut():
    with receivers.huge() as sink:
        done = perform(KEY, {"url": sink.url})
    assert (done.output["bytes"], done.output["is_cut"]) == (32768, True)


def test_a_reply_too_deep_to_be_kept_as_json_is_kept_as_text_and_fails_nothing():
    deep = b"[" * 200 + b"]" * 200
    with receivers.ok(body=deep) as sink:
        done = perform(KEY, {"url": sink.url})
    assert json_text.read(json_text.write(done.output))["body"] == deep.decode()


@pytest.mark.parametrize(("code", "expected"), [(204, ["2xx"]), (404, ["404"]), (503, ["200", "5xx"]), (302, ["302"])])
def test_an_expected_status_is_a_success(code, expected):
    with receivers.status(code) as sink:
        done = perform(KEY, {"url": sink.url, "expected_statuses": expected})
    assert done.output["status"] == code


@pytest.mark.parametrize(("method", "code"), [("POST", 500), ("PATCH", 503), ("GET", 404), ("DELETE", 403), ("GET", 302)])
def test_any_other_status_is_a_failure_with_a_sentence(method, code):
    with receivers.status(code) as sink:
        failed = perform(KEY, {"method": method, "url": f"{sink.url}?key=hidden"})
    assert isinstance(failed, Failed)
    assert failed.code == f"status_{code}"
    assert f"status {code}" in failed.message
    assert "hidden" not in failed.message
    assert len(sink.requests) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_may_be_repeated_is_tried_again_after_a_server_error(method):
    with receivers.status(502) as sink, pytest.raises(TemporaryError, match="status 502"):
        perform(KEY, {"method": method, "url": sink.url})


def test_a_busy_receiver_says_when_to_come_back():
    with receivers.busy(seconds=120) as sink, pytest.raises(TemporaryError) as caught:
        perform(KEY, {"url": sink.url})
    assert caught.value.retry_after_seconds == 120


def test_a_time_out_is_tried_again_only_where_that_does_no_harm():
    with receivers.hang() as sink:
        with pytest.raises(TemporaryError) as caught:
            perform(KEY, {"url": sink.url, "timeout_seconds": 0.3})
        failed = perform(KEY, {"method": "POST", "url": sink.url, "timeout_seconds": 0.3})
    assert caught.value.code == "timeout"
    assert (failed.code, isinstance(failed, Failed)) == ("timeout", True)


def test_a_private_address_is_not_called(settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    with receivers.ok() as sink:
        failed = perform(KEY, {"url": sink.url})
    assert (failed.code, sink.requests) == ("blocked_url", [])


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "url"),
        ({"url": "https://a.example/", "method": "BREW"}, "method"),
        ({"url": "https://a.example/", "headers": {"Host": "b"}}, "headers"),
        ({"url": "https://a.example/", "headers": {"X-A": "1\r\nX-B: 2"}}, "headers"),
        ({"url": "https://a.example/", "headers": {"X A": "1"}}, "headers"),
        ({"url": "https://a.example/", "expected_statuses": ["ok"]}, "expected_statuses"),
        ({"url": "https://a.example/", "json": {}, "body": "a"}, "params"),
        ({"url": "https://a.example/", "timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_wrong_parameters_are_refused_by_name(params, named):
    with pytest.raises(InvalidInput) as caught:
        perform(KEY, params)
    assert named in caught.value.fields


def test_headers_are_a_secret_and_the_summary_shows_none():
    action = actions.get(KEY)
    params = {"url": "https://a.example/x?token=hidden", "headers": {"Authorization": "Bearer hidden"}}
    assert forms.secret_names(action.Parameters) == {"headers"}
    assert "hidden" not in action.summary(forms.clean(action.Parameters, params))
