"""What happens to one outbound request on its way: when each phase ended, which address was reached, what went wrong.

Used by `http` only.
"""

import asyncio
import os
import socket
import ssl
import time
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from config.kernel.wire import addresses


class Trip:
    """Notes of one request. Moments are `time.perf_counter` seconds, 0 when they did not come."""

    __slots__ = ("address", "answered", "blocked", "dialled", "host", "is_tls", "opened", "room", "sent", "started", "status", "tcp_up")

    def __init__(self, *, is_tls: bool, room: int = 0) -> None:
        self.is_tls, self.room = is_tls, room
        self.started = time.perf_counter()
        self.dialled = self.tcp_up = self.sent = self.answered = 0.0
        self.address = self.blocked = ""
        self.host = "the target"
        self.status = self.opened = 0

    def phases(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Milliseconds of DNS, connect, TLS and the wait for the reply's head. They do not overlap; None for what did not happen."""
        return (
            _ms(self.started, self.dialled),
            _ms(self.dialled, self.tcp_up),
            _ms(self.tcp_up, self.sent) if self.is_tls else None,
            _ms(self.sent, self.answered),
        )

    @property
    def is_reused(self) -> bool:
        """Whether an open connection was taken from the pool."""
        return bool(self.sent) and not self.dialled

    def stage(self) -> str:
        """What it was doing when its time was up."""
        if self.answered:
            return "reading the reply"
        if self.sent:
            return "waiting for the reply"
        if self.tcp_up:
            return "setting up TLS"
        return "connecting" if self.dialled else "looking up its name"


def _ms(start: float, end: float) -> float | None:
    return round((end - start) * 1000, 3) if start and end else None


# The request on whose behalf a connection is made. Tasks that race several addresses inherit it.
current: ContextVar[Trip] = ContextVar("steward_trip")


class TimedSocket(socket.socket):
    """A socket that notes when TCP was up: the event loop asks for the pending error then, or connects at once."""

    trip: Trip | None = None

    def connect(self, address: Any) -> None:
        super().connect(address)
        self._note()

    def getsockopt(self, *args: Any) -> Any:
        value = super().getsockopt(*args)
        if value == 0 and args[:2] == (socket.SOL_SOCKET, socket.SO_ERROR):
            self._note()
        return value

    def _note(self) -> None:
        if self.trip and not self.trip.tcp_up:
            self.trip.tcp_up = time.perf_counter()
        self.trip = None


def open_socket(info: Any) -> socket.socket:
    """A socket for one resolved address, whatever it is."""
    trip = current.get()
    trip.dialled = trip.dialled or time.perf_counter()
    trip.opened += 1
    family, kind, proto = info[:3]
    found = TimedSocket(family, kind, proto)
    found.trip = trip
    return found


def guarded_socket(info: Any) -> socket.socket:
    """A socket for one resolved address that the address rule allows. The connection goes to just this address. Raises PermissionError."""
    trip = current.get()
    ip, port = info[4][:2]
    found = addresses.denial(ip, port)
    if found:
        trip.dialled = trip.dialled or time.perf_counter()
        trip.blocked = trip.blocked or found
        raise PermissionError(found)  # An OSError, so that another address of the same name is still tried.
    return open_socket(info)


class Connection(ResponseHandler):
    """A connection that is lent to nobody once it said something unasked, and that ends when more than `room` bytes come for one reply."""

    room = 0

    def is_connected(self) -> bool:
        return super().is_connected() and not self.should_close

    def data_received(self, data: bytes) -> None:
        self.room -= len(data)
        if self.room >= 0:
            super().data_received(data)
        elif self.transport:  # aiohttp itself would skip chunk extensions and 1xx replies without end.
            self.set_exception(OSError("more came than any reply holds"))
            self.transport.abort()


class Response(aiohttp.ClientResponse):
    """Notes when the request was on its way, over which connection, and when the head of the reply was there."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        trip = current.get()
        trip.sent = time.perf_counter()
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        trip.address = str(peer[0]) if peer else ""
        connection.protocol.room = trip.room
        await super().start(connection)
        trip.answered, trip.status = time.perf_counter(), self.status
        return self


def explain(error: BaseException, trip: Trip, *, seconds: float) -> tuple[str, str]:
    """Error code and sentence for what ended the request. Names the host, never path, query or headers."""
    code = _code(error, trip)
    return code, _sentence(code, error, trip, seconds)


def _code(error: BaseException, trip: Trip) -> str:
    # Where a permitted address of the name was tried too and failed, trying again may help: that is no blocked URL.
    if isinstance(error, aiohttp.InvalidURL) or (trip.blocked and not trip.opened):
        return "blocked_url"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError) or (trip.is_tls and trip.tcp_up and not trip.sent):
        return "tls"
    return "connect"


def _sentence(code: str, error: BaseException, trip: Trip, seconds: float) -> str:
    if code == "blocked_url" and not trip.blocked:
        return f"The URL on {trip.host} cannot be read as one. Write it as https://host/path."
    if code == "connect" and trip.answered:
        return f"{trip.host} answered {trip.status}, but the connection ended before the reply did."
    form = _WORDS.get(code) or next((words for kind, words in _CONNECT_WORDS if isinstance(error, kind)), _UNSENDABLE)
    kind = type(error).__name__
    return form.format(host=trip.host, reason=_reason(error), kind=kind, seconds=seconds, stage=trip.stage(), blocked=trip.blocked)


_WORDS = {
    "blocked_url": f"{{host}} was not called: {{blocked}}. {addresses.ONLY_PUBLIC}",
    "timeout": "{host} took longer than {seconds:g} s; time was up while {stage}.",
    "dns": "The name {host} could not be resolved: {reason}.",
    "tls": "TLS with {host} failed: {reason}.",
}
_CONNECT_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (asyncio.CancelledError, "The call to {host} was given up because connections were being closed."),
    (aiohttp.ClientConnectorError, "No connection to {host}: {reason}."),
    (aiohttp.ServerDisconnectedError, "{host} closed the connection without a reply."),
    (aiohttp.ClientResponseError, "{host} sent something that is not an HTTP reply."),
    (OSError, "The connection to {host} broke: {reason}."),
)
_UNSENDABLE = "The request to {host} could not be sent ({kind}). Look at its method and headers."


def _reason(error: BaseException) -> str:
    """The operating system's or OpenSSL's own words, without numbers and file names."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        # asyncio puts the address into `strerror`; the number has plain words. Resolver errors count below zero.
        plain = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        return plain.rstrip(".").lower()
    return str(error)[:200].rstrip(".") or type(error).__name__
