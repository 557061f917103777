"""Waitress with the question before a large body: who is refused hears it without sending, who is not loses nothing."""

import socket
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from waitress import wasyncore
from waitress.server import create_server

from config import wsgi
from config.kernel.management import bodies

pytestmark = pytest.mark.pure

LIMIT = 2_000_000
asked: list[str] = []
seen: list[tuple[str, int]] = []


def limit_of(path: str) -> int:
    asked.append(path)
    if path == "/unknown":
        raise RuntimeError("the database is away")
    return LIMIT


def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Answers 413 by the length that was announced, as the inbound door does, else with how much came."""
    size = len(environ["wsgi.input"].read())
    seen.append((environ.get("CONTENT_LENGTH", ""), size))
    announced = int(environ.get("CONTENT_LENGTH") or 0)
    text = str(size).encode()
    start("413 Too Large" if announced > LIMIT and environ["PATH_INFO"] != "/unknown" else "200 OK", [("Content-Length", str(len(text)))])
    return [text]


@pytest.fixture
def connect(settings: Any) -> Iterator[Callable[[], socket.socket]]:
    settings.LARGEST_BODY = f"{__name__}.limit_of"
    asked.clear()
    seen.clear()
    server = create_server(application, host="127.0.0.1", port=0, threads=2, max_request_body_size=2**62)
    bodies.ask_first(server)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            wasyncore.loop(timeout=0.05, map=server._map, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    opened: list[socket.socket] = []

    def connected() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=10))
        return opened[-1]

    yield connected
    is_over.set()
    thread.join()
    server.task_dispatcher.shutdown()
    wasyncore.close_all(server._map)
    for one in opened:
        one.close()


def head(*lines: str, path: str = "/a") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def answer(sender: socket.socket) -> str:
    """The next answer: its status and body."""
    top = b""
    while not top.endswith(b"\r\n\r\n"):
        # One at a time, to leave the next answer where it is.
        top += sender.recv(1) or pytest.fail(f"the connection ended after {top!r}")
    lengths = [int(line.split(b":")[1]) for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    body = sender.recv(sum(lengths), socket.MSG_WAITALL) if lengths else b""
    return f"{top.split(b' ')[1].decode()} {body.decode()}"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_a_body_announced_too_large_is_answered_before_it_comes(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 3000000"))
    assert answer(sender) == "413 0"
    assert seen == [("3000000", 0)]


def test_who_waits_for_continue_hears_the_refusal_instead(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 3000000", "Expect: 100-continue"))
    assert answer(sender) == "413 0"


def test_who_waits_for_continue_and_may_send_is_told_to(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 1000000", "Expect: 100-continue"))
    assert answer(sender) == "100 "
    sender.sendall(b"x" * 1_000_000)
    assert answer(sender) == "200 1000000"


def test_a_large_body_within_the_limit_comes_whole_and_the_connection_goes_on(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 2000000") + b"x" * 2_000_000)
    assert answer(sender) == "200 2000000"
    sender.sendall(head("Content-Length: 3") + b"abc")
    assert answer(sender) == "200 3"
    assert asked == ["/a"]


def test_requests_sent_without_waiting_are_answered_in_turn(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 3") + b"abc" + head("Content-Length: 1000000", path="/b") + b"x" * 1_000_000)
    assert [answer(sender), answer(sender)] == ["200 3", "200 1000000"]


def test_chunks_without_end_are_cut_off_at_the_limit(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Transfer-Encoding: chunked"))
    for _ in range(40):
        sender.sendall(chunk(b"x" * 65_536))
    assert answer(sender).startswith("413 2")
    [(length, size)] = seen
    assert int(length) == size
    assert LIMIT < size <= LIMIT + 65_536


def test_large_chunked_body_within_the_limit_comes_whole(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Transfer-Encoding: chunked") + chunk(b"x" * 1_000_000) + chunk(b"y" * 1_000_000) + b"0\r\n\r\n")
    assert answer(sender) == "200 2000000"


def test_a_sender_that_sends_all_before_it_listens_still_hears_the_refusal(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 20000000"))
    for _ in range(200):
        sender.sendall(b"x" * 100_000)
    assert answer(sender).startswith("413 ")
    assert sender.recv(1) == b""


def test_while_the_limit_cannot_be_found_out_the_body_is_read(connect: Callable[[], socket.socket]) -> None:
    sender = connect()
    sender.sendall(head("Content-Length: 3000000", path="/unknown") + b"x" * 3_000_000)
    assert answer(sender) == "200 3000000"


@pytest.mark.parametrize(
    "hostile",
    [
        head("Transfer-Encoding: chunked") + b"0" * 2_000,
        head("Transfer-Encoding: chunked") + b"1;" + b"a" * 2_000,
        head("Transfer-Encoding: chunked") + b"0\r\n" + b"a" * 70_000,
        head("Content-Length: " + "9" * 5_000),
    ],
    ids=["chunk size", "chunk extension", "trailer", "length"],
)
def test_a_line_without_end_is_a_bad_request(connect: Callable[[], socket.socket], hostile: bytes) -> None:
    sender = connect()
    sender.sendall(hostile)
    assert answer(sender).startswith("400")
    assert seen == []


@pytest.mark.parametrize(
    ("path", "size", "seen_by_django"),
    [
        ("/api/v1/events", 10, ("10", b"x" * 10)),
        ("/api/v1/events", 3000, ("1001", b"x" * 1001)),
        ("/in/shop", 10, ("", b"x" * 10)),
    ],
    ids=["measured", "over the cap", "left to its own door"],
)
def test_a_body_in_chunks_is_given_a_length(
    monkeypatch: pytest.MonkeyPatch, settings: Any, path: str, size: int, seen_by_django: tuple[str, bytes]
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    monkeypatch.setattr(wsgi, "django", lambda environ, start: [environ.get("CONTENT_LENGTH", ""), environ["wsgi.input"].read()])
    environ = {"PATH_INFO": path, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True, "wsgi.input": BytesIO(b"x" * size)}
    found: Any = list(wsgi.application(environ, None))
    assert found == list(seen_by_django)
