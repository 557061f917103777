"""HTTP to a program of this machine or cluster that an operator named in the environment: over a unix socket, or through `wire.http`.
Called by controllers only; a row never names such a place."""

import base64
import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote, urlsplit, urlunsplit

from config.kernel.wire import http as wire

MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back: a status and the body, or `error`, a sentence, when nothing did."""

    status: int = 0
    body: bytes = b""
    error: str = ""


@dataclass(frozen=True)
class Ask:
    """One request to the place that `base` names: unix:///path or http(s)://user:password@host:port."""

    base: str
    path: str
    method: str = "GET"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 5.0


def ask(wanted: Ask) -> Answer:
    """Make the request; the time-out is over everything. Never raises."""
    parts = urlsplit(wanted.base)
    headers = {**_credentials(parts.username, parts.password), **wanted.headers}
    if parts.scheme == "unix":
        return _over_socket(unquote(parts.path), wanted, headers)
    # The form in which DOCKER_HOST is usually written.
    scheme = "http" if parts.scheme == "tcp" else parts.scheme
    url = urlunsplit((scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", "")) + wanted.path
    request = wire.Request(
        wanted.method,
        url,
        headers=headers,
        body=wanted.body,
        timeout_seconds=wanted.timeout_seconds,
        max_reply_bytes=MOST_BYTES,
        is_operator_target=True,
    )
    reply = wire.send(request)
    return Answer(error=reply.error) if reply.status is None else Answer(reply.status, reply.body)


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    if not user:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


class _Connection(http.client.HTTPConnection):
    """To a unix socket; every wait on it ends with the deadline."""

    def __init__(self, path: str, *, until: float) -> None:
        super().__init__("localhost")
        self.path, self.until = path, until

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.wait_no_longer()
        self.sock.connect(self.path)

    def wait_no_longer(self) -> None:
        """Leave the next operation only what is left of the time."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        cast("socket.socket", self.sock).settimeout(left)


def _over_socket(path: str, wanted: Ask, headers: Mapping[str, str]) -> Answer:
    connection = _Connection(path, until=time.monotonic() + wanted.timeout_seconds)
    try:
        connection.request(wanted.method, wanted.path, wanted.body or None, dict(headers))
        connection.wait_no_longer()
        reply = connection.getresponse()
        return Answer(reply.status, _body(connection, reply))
    except TimeoutError:
        return Answer(error=f"{path} did not answer within {wanted.timeout_seconds:g} s.")
    except (OSError, http.client.HTTPException) as error:
        said = getattr(error, "strerror", None) or type(error).__name__
        return Answer(error=f"{path} cannot be asked: {said}.")
    finally:
        connection.close()


def _body(connection: _Connection, reply: http.client.HTTPResponse) -> bytes:
    chunks, room = [], MOST_BYTES
    while room > 0:
        if connection.sock is not None:  # gone once the whole reply has come
            connection.wait_no_longer()
        chunk = reply.read1(min(room, 65536))
        if not chunk:
            break
        chunks.append(chunk)
        room -= len(chunk)
    return b"".join(chunks)
