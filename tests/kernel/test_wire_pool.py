"""Many calls: reuse of connections, the address rule at connect time, batches, forks, and resets."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.kernel.wire import http
from tests.support import receivers

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _http_is_allowed(settings: Any) -> Iterator[None]:
    settings.WEBHOOK_ALLOW_HTTP = True
    yield
    http.close_pools()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A function that makes every look-up answer the given addresses; it returns the list of names asked for."""

    def answer(*found: str) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
            asked.append(host)
            return [(_family(ip), socket.SOCK_STREAM, 6, "", (ip, port, 0, 0) if ":" in ip else (ip, port)) for ip in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return answer


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def post(url: str, **options: Any) -> http.Reply:
    return http.send(http.Request("POST", url, body=b"{}", **options))


def submitted(requests: list[http.Request]) -> dict[int, http.Reply]:
    """All replies of a batch by position."""
    replies: dict[int, http.Reply] = {}
    ended = threading.Event()

    def sink(key: int, reply: http.Reply) -> None:
        replies[key] = reply
        if len(replies) == len(requests):
            ended.set()

    http.submit_all(list(enumerate(requests)), sink)
    assert ended.wait(20)
    return replies


# --- the address rule, when a connection is made ------------------------------------------------


def test_without_an_exception_loopback_is_not_called() -> None:
    with receivers.ok() as sink:
        reply = post(sink.url)

    assert (reply.status, reply.error_code) == (None, "blocked_url")
    assert "loopback" in reply.error
    assert sink.requests == []


def test_exception_for_one_port_opens_just_that_port(settings: Any) -> None:
    with receivers.ok() as inbox, receivers.ok() as other:
        settings.WEBHOOK_ALLOWED_NETWORKS = [inbox.network]

        assert post(inbox.url).status == 200
        assert post(other.url).error_code == "blocked_url"
    assert other.requests == []


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254", "64:ff9b::7f00:1"])
def test_public_name_that_leads_inwards_is_blocked_at_connect(names: Callable[..., list[str]], ip: str) -> None:
    names(ip)

    reply = post("http://rebound.example/hook")

    assert reply.error_code == "blocked_url"
    assert "rebound.example was not called" in reply.error


def test_name_that_turns_inwards_after_a_good_answer_is_blocked(names: Callable[..., list[str]], settings: Any) -> None:
    with receivers.ok(host="rebound.example") as sink:
        settings.WEBHOOK_ALLOWED_NETWORKS = [sink.network]
        asked = names("127.0.0.1")
        before = post(sink.url)
        names("10.0.0.7")
        http.close_pools()
        after = post(sink.url)

    assert (before.status, after.status) == (200, None)
    assert after.error_code == "blocked_url"
    assert asked == ["rebound.example"]


def test_connection_goes_to_the_checked_address_and_asks_no_second_time(names: Callable[..., list[str]], settings: Any) -> None:
    with receivers.ok(host="once.example") as sink:
        settings.WEBHOOK_ALLOWED_NETWORKS = [sink.network]
        asked = names("127.0.0.1")
        reply = post(sink.url)

    assert reply.address == "127.0.0.1"
    assert asked == ["once.example"]


def test_allowed_address_of_a_name_is_used_though_another_is_denied(names: Callable[..., list[str]], settings: Any) -> None:
    names("::1", "10.0.0.7", "127.0.0.1")
    with receivers.ok(host="mixed.example") as sink:
        settings.WEBHOOK_ALLOWED_NETWORKS = [sink.network]
        reply = post(sink.url)

    assert (reply.status, reply.address) == (200, "127.0.0.1")


def test_name_with_several_addresses_all_denied_is_blocked(names: Callable[..., list[str]]) -> None:
    names("::1", "10.0.0.7", "192.168.0.1")

    assert post("http://inward.example/hook").error_code == "blocked_url"


def test_denied_address_beside_an_allowed_one_that_refuses_may_be_tried_again(names: Callable[..., list[str]], settings: Any) -> None:
    port = receivers.refused_port()
    settings.WEBHOOK_ALLOWED_NETWORKS = [f"127.0.0.1/32:{port}"]
    names("10.0.0.7", "127.0.0.1")

    assert post(f"http://mixed.example:{port}/hook").error_code == "connect"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost"])
def test_hostile_spelling_in_a_stored_row_is_refused_when_sending(host: str) -> None:
    with receivers.ok() as sink:
        reply = post(f"http://{host}:{sink.port}/hook")

    assert reply.error_code == "blocked_url"
    assert sink.requests == []


def test_plain_http_in_a_stored_row_is_refused_when_sending(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = False
    with receivers.ok() as sink:
        settings.WEBHOOK_ALLOWED_NETWORKS = [sink.network]
        reply = post(sink.url)

    assert reply.error_code == "blocked_url"
    assert "https://" in reply.error


def test_operator_target_is_reached_without_the_address_rule(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = False
    with receivers.ok() as sink:
        assert post(sink.url, is_operator_target=True).status == 200


def test_trusted_target_is_reached_without_the_address_rule(settings: Any) -> None:
    settings.WEBHOOK_ALLOW_HTTP = False
    with receivers.ok() as inbox, receivers.ok() as other:
        settings.STEWARD_TRUSTED_TARGETS = [f"http://127.0.0.1:{inbox.port}"]

        assert post(inbox.url).status == 200
        assert post(other.url).error_code == "blocked_url"


def test_connection_made_for_an_operator_is_never_lent_to_a_guarded_call() -> None:
    with receivers.ok() as sink:
        assert post(sink.url, is_operator_target=True).status == 200
        assert post(sink.url).error_code == "blocked_url"
    assert len(sink.requests) == 1


# --- reuse ------------------------------------------------------------------------------------


@pytest.fixture
def _loopback_is_allowed(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


pytest_loopback = pytest.mark.usefixtures("_loopback_is_allowed")


@pytest_loopback
def test_fifty_calls_in_a_row_use_one_connection() -> None:
    with receivers.ok() as sink:
        for _ in range(50):
            assert post(sink.url).status == 200

    assert len(sink.requests) == 50
    assert len(sink.peer_ports) == 1


@pytest_loopback
def test_reset_pools_open_a_new_connection() -> None:
    with receivers.ok() as sink:
        post(sink.url)
        http.close_pools()
        post(sink.url)

    assert len(sink.peer_ports) == 2


@pytest_loopback
def test_connection_with_an_unread_rest_is_not_used_again() -> None:
    with receivers.huge(size=2_000_000) as sink:
        assert post(sink.url).status == 200
        assert post(sink.url).status == 200

    assert len(sink.peer_ports) == 2


@pytest_loopback
def test_what_a_receiver_says_unasked_is_not_the_reply_to_the_next_request() -> None:
    with receivers.talkative() as sink, receivers.ok() as other:
        for said in range(3):
            assert post(sink.url).status == 500
            with sink.changed:
                assert sink.changed.wait_for(lambda: sink.bytes_sent > said, timeout=10)  # noqa: B023 - called at once
            post(other.url)  # Meanwhile the loop reads what was said.

    assert len(sink.peer_ports) == 3


@pytest_loopback
def test_repeatable_request_survives_an_idle_connection_closed_under_it() -> None:
    with receivers.closing_when_idle() as sink:
        post(sink.url)
        reply = post(sink.url, headers={"Webhook-Id": "evt_1"})

    assert reply.status == 200
    assert len(sink.peer_ports) == 2


@pytest_loopback
def test_request_that_may_not_be_repeated_is_not_sent_twice() -> None:
    with receivers.closing_when_idle() as sink:
        post(sink.url)
        reply = post(sink.url)

    assert reply.error_code == "connect"
    assert len(sink.requests) == 2


# --- batches and loops ------------------------------------------------------------------------


@pytest_loopback
def test_batch_runs_at_once_and_every_reply_comes_under_its_own_key() -> None:
    with receivers.ok() as good, receivers.status(500) as bad, receivers.hang() as slow:
        urls = [good.url, bad.url, slow.url, "http://10.0.0.1/", good.url]
        replies = submitted([http.Request("POST", url, timeout_seconds=0.5) for url in urls])

    assert [replies[key].status for key in range(5)] == [200, 500, None, None, 200]
    assert [replies[key].error_code for key in range(5)] == ["", "", "timeout", "blocked_url", ""]


@pytest_loopback
def test_failure_nobody_foresaw_is_an_error_and_no_exception(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def fail(*args: object) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(http, "_call_once", fail)
    reply = post(f"http://127.0.0.1:{receivers.refused_port()}/")

    assert (reply.status, reply.error_code) == (None, "connect")
    assert "http.exchange_failed" in caplog.text


@pytest_loopback
def test_slow_receivers_do_not_hold_up_the_others() -> None:
    ended: list[str] = []
    done = threading.Event()

    def sink(key: str, reply: http.Reply) -> None:
        ended.append(key)
        if ended.count("good") == 50:
            done.set()

    with receivers.hang() as slow, receivers.ok() as good:
        hanging = [("slow", http.Request("POST", slow.url, timeout_seconds=30))] * 50
        http.submit_all([*hanging, *[("good", http.Request("POST", good.url))] * 50], sink)

        assert done.wait(20)
        assert "slow" not in ended


@pytest_loopback
def test_sink_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []
    done = threading.Event()

    def sink(key: int, reply: http.Reply) -> None:
        seen.append(key)
        if len(seen) == 3:
            done.set()
        raise ValueError("no")

    with receivers.ok() as good:
        http.submit_all([(key, http.Request("GET", good.url)) for key in range(3)], sink)
        assert done.wait(20)

    assert sorted(seen) == [0, 1, 2]
    assert "wire.sink_failed" in caplog.text


@pytest_loopback
def test_exchange_may_be_awaited_on_any_event_loop() -> None:
    with receivers.ok() as sink:
        reply = asyncio.run(http.exchange(http.Request("GET", sink.url)))

    assert reply.status == 200


@pytest_loopback
def test_send_from_a_sink_says_what_is_wrong_instead_of_waiting_for_ever() -> None:
    errors: list[Exception] = []
    done = threading.Event()

    def sink(key: int, reply: http.Reply) -> None:
        try:
            http.send(http.Request("GET", "http://127.0.0.1/"))
        except RuntimeError as error:
            errors.append(error)
        done.set()

    http.submit_all([(1, http.Request("GET", f"http://127.0.0.1:{receivers.refused_port()}/"))], sink)

    assert done.wait(20)
    assert "exchange()" in str(errors[0])


@pytest_loopback
def test_closing_the_pools_ends_calls_under_way_with_an_error_and_no_exception() -> None:
    replies: list[http.Reply] = []
    done = threading.Event()

    def sink(key: int, reply: http.Reply) -> None:
        replies.append(reply)
        done.set()

    with receivers.hang() as slow, receivers.ok() as good:
        http.submit_all([(1, http.Request("POST", slow.url))], sink)
        slow.wait_for(1)
        http.close_pools()

        assert done.wait(20)
        assert replies[0].error_code == "connect"
        assert post(good.url).status == 200


FORKING = """
import gc, os, sys
from config.kernel.wire import http
call = lambda: http.send(http.Request("POST", sys.argv[1], body=b"{}")).status
assert call() == 200
child = os.fork()
if not child:
    os._exit(0 if call() == 200 and call() == 200 else 1)
assert os.waitpid(child, 0)[1] == 0
assert call() == 200
child = os.fork()
if not child:
    gc.collect()  # What is cleaned up here must not reach the parent's connections.
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert call() == 200
"""


def test_forked_process_makes_its_own_pool_and_leaves_the_parent_its_connection() -> None:
    with receivers.ok() as sink:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings.test", "WEBHOOK_ALLOW_HTTP": "1"}
        environment |= {"WEBHOOK_ALLOWED_NETWORKS": sink.network}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORKING, sink.url],
            cwd=ROOT,
            env=environment,
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(sink.requests) == 5
    assert len(sink.peer_ports) == 2
