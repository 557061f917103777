"""What receivers do to us, and what follows: each gets its class of error and its next attempt, and none is taken for a success."""

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from config.kernel.wire import http
from tests.support import outbound, receivers
from tests.support.receivers import Received, Receiver
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import dispatch
from webhooks.services.dispatch import recording, turns

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Bad = Callable[[], AbstractContextManager[Receiver]]


@pytest.fixture(autouse=True)
def _still(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(turns, "_kept", None)
    with time_machine.travel(NOW, tick=False):
        yield


def saying(reply: bytes, *, closes: bool = True) -> Bad:
    """A receiver that answers with just these bytes."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(reply)
        return not closes

    return lambda: receivers.serve(answer)


def tried(bad: AbstractContextManager[Receiver], **fields: Any) -> tuple[Delivery, Attempt]:
    with bad as sink:
        [delivery] = outbound.deliveries(outbound.endpoint(sink.url, **{"timeout_seconds": 1, **fields}))
        assert dispatch.drain() == 1
    delivery.refresh_from_db()
    return delivery, delivery.attempts.get()


@pytest.mark.parametrize(
    ("bad", "error_code", "status_code", "wait"),
    [
        (receivers.slow_headers, "timeout", None, 60),
        (receivers.slow_body, "timeout", None, 60),
        (receivers.hang, "timeout", None, 60),
        (receivers.reset, "connect", None, 5),
        (receivers.closing, "connect", None, 5),
        (receivers.truncated, "connect", None, 5),
        (receivers.gibberish, "connect", None, 5),
        (lambda: receivers.endless(b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 5000 + b"\r\n\r\n"), "connect", None, 5),
        (saying(b"HTTP/1.1 200 OK\r\nX-Half: a he"), "connect", None, 5),
        (saying(b"HTTP/1.1 100 Continue\r\n\r\n"), "connect", None, 5),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"), "connect", None, 5),
        (saying(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), "http_status", 101, 5),
        (saying(b"HTTP/1.1 999 Hm\r\nContent-Length: 0\r\n\r\n"), "http_status", 999, 5),
        (lambda: receivers.redirect("http://127.0.0.1:1/"), "http_status", 302, 5),
        (lambda: receivers.status(500), "http_status", 500, 5),
        (lambda: receivers.status(503, headers={"Retry-After": "90"}), "http_status", 503, 90),
        (lambda: receivers.busy(seconds=120), "http_status", 429, 120),
        (lambda: receivers.busy(seconds=1), "http_status", 429, 60),
        (lambda: receivers.busy_until(NOW + timedelta(minutes=10)), "http_status", 429, 600),
        (lambda: receivers.busy_until(NOW - timedelta(minutes=10)), "http_status", 429, 60),
        (lambda: receivers.status(429, headers={"Retry-After": "9" * 400}), "http_status", 429, 86400),
        (lambda: receivers.status(429, headers={"Retry-After": "soon"}), "http_status", 429, 60),
    ],
)
def test_a_bad_receiver_gets_its_class_of_error_and_another_attempt(bad: Bad, error_code: str, status_code: int | None, wait: int) -> None:
    delivery, attempt = tried(bad())
    assert (delivery.status, delivery.next_attempt_at) == ("retrying", NOW + timedelta(seconds=wait))
    assert (attempt.error_code, attempt.status_code) == (error_code, status_code)
    assert bool(attempt.error) is (error_code != "http_status")
    endpoint = Endpoint.objects.get()
    assert (endpoint.failing_since, endpoint.status) == (NOW, "active")


def test_a_certificate_for_another_name_is_a_tls_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = receivers.certificate(tmp_path, name="other.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority_file))
    http.close_pools()
    try:
        delivery, attempt = tried(receivers.ok(host="localhost", tls=certificate.context), timeout_seconds=5)
    finally:
        http.close_pools()
    assert (delivery.status, attempt.error_code, attempt.status_code) == ("retrying", "tls", None)
    assert "mismatch" in attempt.error


def test_gone_is_dead_at_once() -> None:
    delivery, attempt = tried(receivers.gone())
    assert (delivery.status, attempt.status_code, Endpoint.objects.get().status) == ("dead", 410, "disabled")


BOMB = gzip.compress(b"\0" * 50_000_000, 1)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: receivers.huge(size=1_000_000_000),
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
        saying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n"),
        saying(b"HTTP/1.0 200 OK\r\n\r\nno length"),
        saying(b"HTTP/1.1 200 \xe9\r\nX-Odd: \xe9\xff\xfe\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=["a gigabyte", "a gzip bomb", "100 first", "no length", "bytes that are no text"],
)
def test_an_odd_reply_that_says_2xx_is_a_success_of_which_little_is_kept(bad: Bad) -> None:
    delivery, attempt = tried(bad(), timeout_seconds=5)
    assert (delivery.status, attempt.error_code) == ("delivered", "")
    assert len(attempt.response_body) <= recording.REPLY_BYTES
