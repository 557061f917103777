"""One outbound call: what is sent, what is read, and what each kind of bad receiver comes to."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.kernel.wire import http
from tests.support import receivers
from tests.support.receivers import Receiver

pytestmark = pytest.mark.pure

SHORT = 0.4


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings: Any) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    yield
    http.close_pools()


def post(url: str, **options: Any) -> http.Reply:
    return http.send(http.Request("POST", url, body=b'{"a":1}', **options))


# --- a good receiver --------------------------------------------------------------------------


def test_request_arrives_as_it_was_given_and_the_reply_comes_back() -> None:
    with receivers.ok() as sink:
        reply = post(sink.url, headers={"Content-Type": "application/json", "webhook-id": "evt_1"})

    (request,) = sink.requests
    assert (request.method, request.path, request.body) == ("POST", "/hook", b'{"a":1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "evt_1"
    assert request.headers["user-agent"].startswith("Steward/")
    assert (reply.status, reply.body, reply.error_code, reply.error) == (200, b'{"status":"received"}', "", "")
    assert reply.address == "127.0.0.1"
    assert reply.started_at.tzinfo is not None


@pytest.mark.parametrize("code", [200, 201, 204, 299, 300, 304, 400, 401, 404, 413, 429, 500, 503, 599])
def test_any_http_status_is_an_answer_and_no_error(code: int) -> None:
    with receivers.status(code) as sink:
        reply = post(sink.url)

    assert (reply.status, reply.error_code) == (code, "")


def test_path_and_query_go_out_as_they_were_typed() -> None:
    with receivers.ok() as sink:
        post(sink.url.replace("/hook", "/a/../b;x=1/%7e%2F//?q=%20a+b&c=é{}|%zz"))

    assert sink.requests[0].path == "/a/../b;x=1/%7e%2F//?q=%20a+b&c=%C3%A9%7B%7D%7C%zz"


def test_url_without_a_path_asks_for_the_root() -> None:
    with receivers.ok() as sink:
        post(f"http://127.0.0.1:{sink.port}?a=b")

    assert sink.requests[0].path == "/?a=b"


def test_large_body_arrives_whole() -> None:
    body = b"0123456789" * 300_000
    with receivers.ok() as sink:
        reply = http.send(http.Request("POST", sink.url, body=body))

    assert reply.status == 200
    assert sink.requests[0].body == body


def test_cookies_and_proxies_of_the_environment_play_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{receivers.refused_port()}")
    with receivers.status(200, headers={"Set-Cookie": "a=b; Path=/"}) as sink:
        first, _ = post(sink.url), post(sink.url)

    assert first.status == 200
    assert "cookie" not in sink.requests[1].headers


def test_compressed_reply_is_left_packed() -> None:
    with receivers.serve(receivers.answering(200, b"\x1f\x8b not really", {"Content-Encoding": "gzip"})) as sink:
        reply = post(sink.url)

    assert reply.body == b"\x1f\x8b not really"
    assert sink.requests[0].headers["accept-encoding"] == "identity"


def test_reply_headers_have_lower_case_names_and_repeated_ones_are_joined() -> None:
    with receivers.status(200, headers={"X-One": "1", "x-one": "2", "Retry-After": "7"}) as sink:
        reply = post(sink.url)

    assert reply.headers["x-one"] == "1, 2"
    assert reply.headers["retry-after"] == "7"


def test_call_is_logged_at_debug_with_method_host_status_and_time_but_no_path(caplog: pytest.LogCaptureFixture) -> None:
    with receivers.ok() as sink, caplog.at_level(logging.DEBUG, "kernel.wire"):
        post(sink.url + "?token=s3cr3t")

    (record,) = [record for record in caplog.records if record.name == "kernel.wire"]
    context: dict[str, Any] = record.context  # type: ignore[attr-defined]
    assert record.getMessage() == "http.exchange"
    assert (context["method"], context["host"], context["status"]) == ("POST", f"127.0.0.1:{sink.port}", 200)
    assert context["ms"] > 0
    assert "s3cr3t" not in str(record.__dict__)


# --- phases -----------------------------------------------------------------------------------


def test_new_connection_has_phases_and_they_do_not_exceed_the_whole() -> None:
    with receivers.ok(host="localhost") as sink:
        reply = post(sink.url)

    phases = [reply.dns_ms, reply.connect_ms, reply.first_byte_ms]
    assert all(phase is not None and phase >= 0 for phase in phases)
    assert reply.tls_ms is None
    assert sum(phase or 0 for phase in phases) <= reply.duration_ms


def test_reused_connection_has_only_the_wait_for_the_reply() -> None:
    with receivers.ok() as sink:
        post(sink.url)
        reply = post(sink.url)

    assert (reply.dns_ms, reply.connect_ms, reply.tls_ms) == (None, None, None)
    assert reply.first_byte_ms is not None
    assert reply.address == "127.0.0.1"


# --- bad receivers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receiver", "stage"),
    [
        (receivers.hang, "waiting for the reply"),
        (receivers.slow_headers, "waiting for the reply"),
        (receivers.slow_body, "reading the reply"),
    ],
)
def test_receiver_that_takes_too_long_is_cut_off_at_the_total_deadline(
    receiver: Callable[[], AbstractContextManager[Receiver]], stage: str
) -> None:
    with receiver() as sink:
        reply = post(sink.url, timeout_seconds=SHORT)

    assert (reply.status, reply.error_code) == (None, "timeout")
    assert stage in reply.error
    assert SHORT * 1000 <= reply.duration_ms < 5000


def test_deadline_covers_a_name_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*args: Any, **options: Any) -> Any:
        released.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    reply = post("http://slow.example/hook", timeout_seconds=SHORT)
    released.set()

    assert reply.error_code == "timeout"
    assert "looking up its name" in reply.error


def test_deadline_covers_a_receiver_whose_queue_is_full() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        reply = post(f"http://127.0.0.1:{port}/hook", timeout_seconds=SHORT)
        for each in waiting:
            each.close()

    assert reply.error_code == "timeout"


def test_only_the_first_bytes_of_a_huge_reply_are_taken() -> None:
    with receivers.huge(size=1_000_000_000) as sink:
        reply = post(sink.url)

    assert (reply.status, len(reply.body), reply.error_code) == (200, 65536, "")
    assert sink.bytes_sent < 50_000_000


def test_reply_cap_of_the_request_is_kept_to_the_byte() -> None:
    with receivers.ok(body=b"0123456789") as sink:
        assert post(sink.url, max_reply_bytes=4).body == b"0123"
        assert post(sink.url, max_reply_bytes=10).body == b"0123456789"
        assert post(sink.url, max_reply_bytes=0).body == b""


def test_retry_after_comes_through_in_both_forms() -> None:
    moment = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    with receivers.busy(seconds=120) as seconds, receivers.busy_until(moment) as date:
        replies = post(seconds.url), post(date.url)

    assert [reply.status for reply in replies] == [429, 429]
    assert [reply.headers["retry-after"] for reply in replies] == ["120", "Sat, 31 Jan 2026 12:00:00 GMT"]


def test_gone_comes_through_as_410() -> None:
    with receivers.gone() as sink:
        assert post(sink.url).status == 410


def test_redirect_inwards_is_not_followed() -> None:
    with receivers.ok() as inside, receivers.redirect(inside.url) as sink:
        reply = post(sink.url)

    assert (reply.status, reply.headers["location"]) == (302, inside.url)
    assert inside.requests == []


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        (receivers.closing, "closed the connection without a reply"),
        (receivers.reset, "connection reset by peer"),
        (receivers.truncated, "answered 200, but the connection ended"),
        (receivers.gibberish, "not an HTTP reply"),
    ],
)
def test_broken_reply_is_a_connect_error_with_its_own_sentence(
    receiver: Callable[[], AbstractContextManager[Receiver]], words: str
) -> None:
    with receiver() as sink:
        reply = post(sink.url)

    assert (reply.status, reply.error_code) == (None, "connect")
    assert words in reply.error
    assert f"127.0.0.1:{sink.port}" in reply.error


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "again", "words"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "more came than any reply holds"),
        (b"", b"\r\n" * 30_000, "more came than any reply holds"),
        (b"HTTP/1.1 200 OK\r\n", b"X-One: more\r\n" * 5000, "not an HTTP reply"),
        (b"HTTP/1.1 200 OK\r\nX-One: ", b"x" * 65_536, "not an HTTP reply"),
        (CHUNKED + b"1;", b"x" * 65_536, "answered 200, but the connection ended"),
        (CHUNKED, b"0" * 65_536, "answered 200, but the connection ended"),
        (CHUNKED + b"0\r\n", b"X-One: more\r\n" * 5000, "127.0.0.1"),  # The head may come alone or with its trailers.
    ],
    ids=["replies that are none", "empty lines", "headers", "a header", "a chunk's extension", "a chunk's size", "trailers"],
)
def test_reply_without_an_end_is_cut_off_long_before_the_deadline(first: bytes, again: bytes, words: str) -> None:
    with receivers.endless(again, first=first) as sink:
        reply = post(sink.url, timeout_seconds=60)

    assert (reply.status, reply.error_code) == (None, "connect")
    assert words in reply.error
    assert sink.bytes_sent < 50_000_000


@pytest.mark.parametrize("code", [b"100 Continue", b"103 Early Hints"])
def test_what_comes_before_a_reply_is_not_the_reply(code: bytes) -> None:
    def answer(receiver: Receiver, connection: socket.socket, request: receivers.Received) -> bool:
        connection.sendall(b"HTTP/1.1 " + code + b"\r\n\r\n")
        return receivers.answering(204, b"")(receiver, connection, request)

    with receivers.serve(answer) as sink:
        assert post(sink.url).status == 204


def test_nobody_listening_is_a_connect_error() -> None:
    reply = post(f"http://127.0.0.1:{receivers.refused_port()}/hook")

    assert reply.error_code == "connect"
    assert "connection refused" in reply.error


def test_unknown_name_is_a_dns_error() -> None:
    reply = post("http://nobody.invalid/hook")

    assert reply.error_code == "dns"
    assert "nobody.invalid" in reply.error


@pytest.mark.parametrize("headers", [{"X-Bad": "a\r\nX-Injected: 1"}, {"X-Bad": "a\x00b"}])
def test_header_that_cannot_be_sent_is_an_error_and_no_exception(headers: dict[str, str]) -> None:
    with receivers.ok() as sink:
        reply = post(sink.url, headers=headers)

    assert reply.error_code == "connect"
    assert sink.requests == []


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "http://[::1/", "http://exa mple.invalid/", "ftp://example.com/", "http://example.com:99999/"]
)
@pytest.mark.parametrize("is_operator_target", [False, True])
def test_url_that_is_none_is_an_error_and_no_exception(url: str, is_operator_target: bool) -> None:
    reply = post(url, is_operator_target=is_operator_target, timeout_seconds=2)

    assert reply.status is None
    assert reply.error_code in {"blocked_url", "dns", "connect"}
    assert reply.error


def test_error_names_the_host_but_neither_path_nor_query_nor_headers() -> None:
    with receivers.closing() as sink:
        reply = post(sink.url + "/s3cr3t?token=s3cr3t", headers={"Authorization": "Bearer s3cr3t"})

    assert "s3cr3t" not in reply.error


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., receivers.Certificate]:
    def make(name: str) -> receivers.Certificate:
        found = receivers.certificate(tmp_path, name=name)
        monkeypatch.setenv("SSL_CERT_FILE", str(found.authority_file))
        http.close_pools()
        return found

    return make


def test_right_certificate_is_accepted_and_tls_has_a_time(authority: Callable[..., receivers.Certificate]) -> None:
    with receivers.ok(host="localhost", tls=authority("localhost").context) as sink:
        first, second = post(sink.url), post(sink.url)

    assert (first.status, second.status) == (200, 200)
    assert first.tls_ms
    assert second.tls_ms is None


def test_certificate_for_another_name_is_a_tls_error(authority: Callable[..., receivers.Certificate]) -> None:
    with receivers.ok(host="localhost", tls=authority("other.example").context) as sink:
        reply = post(sink.url)

    assert (reply.status, reply.error_code) == (None, "tls")
    assert "localhost" in reply.error
    assert "mismatch" in reply.error
    assert sink.requests == []


def test_certificate_of_an_unknown_authority_is_a_tls_error(tmp_path: Path) -> None:
    http.close_pools()
    with receivers.ok(host="localhost", tls=receivers.certificate(tmp_path).context) as sink:
        reply = post(sink.url)

    assert reply.error_code == "tls"
    assert "certificate" in reply.error


def test_tls_asked_of_a_plain_receiver_is_a_tls_error() -> None:
    with receivers.ok() as sink:
        reply = post(sink.url.replace("http:", "https:"), timeout_seconds=5)

    assert reply.error_code == "tls"


def test_deadline_covers_a_tls_handshake_that_never_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reply = post(f"https://127.0.0.1:{listener.getsockname()[1]}/", timeout_seconds=SHORT)

    assert reply.error_code == "timeout"
    assert "setting up TLS" in reply.error
