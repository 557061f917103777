"""Receivers on loopback, good and bad, each a thread on a port of its own. Used as context managers: `with receivers.ok() as sink`."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# A receiver that drips or hangs looks this often whether the test is over.
TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Received:
    """One request as it came. Header names are in lower case; `peer_port` tells connections apart."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer_port: int


@dataclass
class Receiver:
    """A listening receiver: where it is and what it got."""

    host: str
    port: int
    scheme: str = "http"
    requests: list[Received] = field(default_factory=list)
    bytes_sent: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port/hook`."""
        return f"{self.scheme}://{self.host}:{self.port}/hook"

    @property
    def network(self) -> str:
        """What WEBHOOK_ALLOWED_NETWORKS must hold for just this receiver."""
        return f"127.0.0.1/32:{self.port}"

    @property
    def peer_ports(self) -> set[int]:
        """The connections that requests came over."""
        return {request.peer_port for request in self.requests}

    def wait_for(self, count: int, *, seconds: float = 10) -> list[Received]:
        """Block until `count` requests have come; AssertionError when they do not within `seconds`."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= count, timeout=seconds), (
                f"{len(self.requests)} of {count} requests came"
            )
        return self.requests


Behaviour = Callable[[Receiver, socket.socket, Received], bool]
"""Answers one request; returns whether the connection stays open for another."""


def ok(
    *,
    status: int = 200,
    body: bytes = b'{"status":"received"}',
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AbstractContextManager[Receiver]:
    """Records requests, answers `status` and keeps connections alive; under the name `host`, over TLS with a context of `certificate`."""
    return serve(answering(status, body), host=host, port=port, tls=tls)


def status(code: int, *, headers: Mapping[str, str] | None = None) -> AbstractContextManager[Receiver]:
    """Answers every request with this status."""
    return serve(answering(code, b"", headers))


def gone() -> AbstractContextManager[Receiver]:
    """410: wants nothing more, ever."""
    return status(410)


def busy(*, seconds: int = 120) -> AbstractContextManager[Receiver]:
    """429 with Retry-After in seconds."""
    return status(429, headers={"Retry-After": str(seconds)})


def busy_until(moment: datetime) -> AbstractContextManager[Receiver]:
    """429 with Retry-After as a date."""
    return status(429, headers={"Retry-After": format_datetime(moment.astimezone(UTC), usegmt=True)})


def redirect(target: str) -> AbstractContextManager[Receiver]:
    """302 to `target`, such as a loopback address."""
    return status(302, headers={"Location": target})


def failing(times: int, *, code: int = 500) -> AbstractContextManager[Receiver]:
    """Answers `code` to the first `times` requests, then 200."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        return answering(code if len(receiver.requests) <= times else 200, b"")(receiver, connection, request)

    return serve(answer)


def slow_headers() -> AbstractContextManager[Receiver]:
    """Sends a head that never ends, a byte at a time."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        return _drip(receiver, connection)

    return serve(answer)


def slow_body() -> AbstractContextManager[Receiver]:
    """Sends a whole head, then a body that never ends, a byte at a time."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        return _drip(receiver, connection)

    return serve(answer)


def hang() -> AbstractContextManager[Receiver]:
    """Takes the request and says nothing."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        receiver.stopped.wait()
        return False

    return serve(answer)


def huge(*, size: int = 1_000_000_000) -> AbstractContextManager[Receiver]:
    """Streams a reply of `size` bytes; `bytes_sent` counts what was taken off its hands."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        chunk, left = b"x" * 65536, size
        while left > 0 and not receiver.stopped.is_set():
            sent = connection.send(chunk[:left])
            left -= sent
            receiver.bytes_sent += sent
        return False

    return serve(answer)


def endless(again: bytes, *, first: bytes = b"") -> AbstractContextManager[Receiver]:
    """Sends `first`, then `again` over and over for as long as it is taken."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(first)
        while not receiver.stopped.is_set():
            connection.sendall(again)
            receiver.bytes_sent += len(again)
        return False

    return serve(answer)


def talkative() -> AbstractContextManager[Receiver]:
    """Answers 500 and, when nobody has asked anything since, says 200; `bytes_sent` counts how often it did."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        answering(500, b"")(receiver, connection, request)
        receiver.stopped.wait(TICK_SECONDS)
        with receiver.changed:
            answering(200, b"")(receiver, connection, request)
            receiver.bytes_sent += 1
            receiver.changed.notify_all()
        return True

    return serve(answer)


def truncated() -> AbstractContextManager[Receiver]:
    """Promises a body and closes in the middle of it."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return False

    return serve(answer)


def gibberish() -> AbstractContextManager[Receiver]:
    """Answers something that is not HTTP."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(b"\x00\xff SSH-2.0-what\r\n\r\n")
        return False

    return serve(answer)


def closing() -> AbstractContextManager[Receiver]:
    """Takes the request and closes without a reply."""
    return serve(lambda receiver, connection, request: False)


def reset() -> AbstractContextManager[Receiver]:
    """Takes the request and resets the connection."""

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        return False

    return serve(answer)


def closing_when_idle() -> AbstractContextManager[Receiver]:
    """Answers the first request of each connection, reads a second one and closes: the race of every keep-alive time-out."""
    seen: set[int] = set()

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        if request.peer_port in seen:
            return False
        seen.add(request.peer_port)
        return answering(200, b"")(receiver, connection, request)

    return serve(answer)


def refused_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(code: int, body: bytes, headers: Mapping[str, str] | None = None) -> Behaviour:
    """The behaviour of a receiver that always gives this answer."""
    lines = [f"HTTP/1.1 {code} Answer", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    reply = "\r\n".join([*lines, "", ""]).encode() + body

    def answer(receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        connection.sendall(reply)
        return True

    return answer


# --- TLS --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Certificate:
    """A certificate authority's file, for SSL_CERT_FILE, and a server context with a certificate of it."""

    authority_file: Path
    context: ssl.SSLContext


def certificate(folder: Path, *, name: str = "localhost") -> Certificate:
    """A fresh authority, and a server certificate for `name` signed by it, written under `folder`."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _signed("Test authority", authority_key, "Test authority", authority_key, is_authority=True)
    server = _signed(name, server_key, "Test authority", authority_key)
    authority_file, chain_file = folder / "authority.pem", folder / "server.pem"
    authority_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_bytes = server_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    chain_file.write_bytes(key_bytes + server.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file)
    return Certificate(authority_file, context)


def _signed(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(not is_authority, False, False, False, False, is_authority, is_authority, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject.replace(" ", "-"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


# --- the server -------------------------------------------------------------------------------


@contextmanager
def serve(behaviour: Behaviour, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Listen on loopback under the name `host` (on a free port, unless one is named) and answer by `behaviour` until the block ends."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    receiver = Receiver(host, listener.getsockname()[1], "https" if tls else "http")
    connections: set[socket.socket] = set()
    accepting = threading.Thread(target=_accept, args=(receiver, listener, behaviour, tls, connections), daemon=True)
    accepting.start()
    try:
        yield receiver
    finally:
        receiver.stopped.set()
        _shut(listener)
        for connection in list(connections):
            _shut(connection)
        accepting.join(timeout=5)


def _accept(
    receiver: Receiver, listener: socket.socket, behaviour: Behaviour, tls: ssl.SSLContext | None, connections: set[socket.socket]
) -> None:
    while not receiver.stopped.is_set():
        try:
            connection, peer = listener.accept()
        except OSError:
            return
        connections.add(connection)
        threading.Thread(target=_talk, args=(receiver, connection, peer[1], behaviour, tls, connections), daemon=True).start()


def _talk(
    receiver: Receiver,
    connection: socket.socket,
    peer_port: int,
    behaviour: Behaviour,
    tls: ssl.SSLContext | None,
    connections: set[socket.socket],
) -> None:
    plain = connection
    try:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
            connections.add(connection)
        reader = connection.makefile("rb")
        while (request := _read(reader, peer_port)) is not None:
            with receiver.changed:
                receiver.requests.append(request)
                receiver.changed.notify_all()
            if not behaviour(receiver, connection, request):
                break
        reader.close()
    except (OSError, ValueError):
        pass  # The other side went away, which is often the point of the test.
    finally:
        connections.difference_update({plain, connection})
        connection.close()
        plain.close()


def _read(reader: "socket.SocketIO | object", peer_port: int) -> Received | None:
    if reader.peek(1)[:1] == b"\x16":  # type: ignore[union-attr]
        return None  # TLS asked of a plain receiver: there may never be a line to read.
    line = reader.readline().decode("latin-1").split()  # type: ignore[union-attr]
    if len(line) != 3 or not line[2].startswith("HTTP/"):
        return None  # Nothing more is coming, or it is no HTTP: three words may be in any greeting of TLS.
    headers: dict[str, str] = {}
    while (header := reader.readline().decode("latin-1").strip()) != "":  # type: ignore[union-attr]
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))  # type: ignore[union-attr]
    return Received(line[0], line[1], headers, body, peer_port)


def _drip(receiver: Receiver, connection: socket.socket) -> bool:
    while not receiver.stopped.wait(TICK_SECONDS):
        connection.sendall(b"x")
        receiver.bytes_sent += 1
    return False


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # Not connected any more.
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
