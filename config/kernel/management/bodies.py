"""Waitress, which keeps whole bodies before it calls the application, taught to ask first how large a body may be. Used by `processes`.

A body over that limit is answered by the application without having been read, as by a server that streams.
"""

import socket
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import import_string
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.utilities import BadRequest

from config.kernel.flow.errors import capture

# Up to here a body is kept in memory and nobody is asked; from here on it goes to a file.
ASK_FROM = 512 * 1024
# No limit is higher: what is read when the limit cannot be found out, because the database is away.
MAX_BODY_BYTES = 256 * 1024 * 1024
# Waitress collects these without a limit of its own.
MAX_CHUNK_LINE, MAX_TRAILER = 1024, 65_536
DISCARDED_AT_ONCE = 65_536


class Parser(HTTPRequestParser):  # type: ignore[misc]  # it ships no types
    """Reads one request. `limit` is None until the application was asked; `is_cut` when the body is larger and was left."""

    error: Any
    expect_continue: bool
    limit: int | None = None
    is_cut = False
    waits_for_continue = False

    @property
    def size(self) -> int:
        """How large the body says it is or, in chunks, has become."""
        return int(self.content_length or (len(self.body_rcv) if self.body_rcv is not None else 0))

    @property
    def is_question(self) -> bool:
        """Whether it is time to ask."""
        return self.headers_finished and not self.completed and self.limit is None and self.size > ASK_FROM

    def received(self, data: bytes) -> int:
        """Take what came; how many bytes of it belong to this request."""
        taken: int = super().received(data)
        if self.chunked and self.error is None and self._is_endless():
            self.error, self.completed = BadRequest("A line or the trailer of the chunked body is too long"), True
        elif self.limit is not None:
            self.cut()
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """As waitress, but a length of thousands of digits is a bad request, and who waits for a `100 Continue` waits until we know."""
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Content-Length is invalid") from None
        if self.expect_continue and self.size > ASK_FROM:
            self.expect_continue, self.waits_for_continue = False, True

    def cut(self) -> None:
        """If the body is over the limit, hand the request on with what is there of it, and let it be the connection's last."""
        if self.limit is None or self.size <= self.limit:
            return
        if self.chunked:
            self.headers["CONTENT_LENGTH"] = str(self.size)
        self.headers["CONNECTION"] = "close"
        self.is_cut = self.completed = True

    def _is_endless(self) -> bool:
        return len(self.body_rcv.control_line) > MAX_CHUNK_LINE or len(self.body_rcv.trailer) > MAX_TRAILER


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection. While the question is out, nothing more is read from it: the sender waits."""

    parser_class = Parser
    request: Parser | None
    requests: list[Parser]
    is_refusing = False
    is_lingering = False

    def received(self, data: bytes) -> bool:
        """Take what came, and put the question among the tasks, in its turn."""
        is_taken: bool = super().received(data)
        with self.requests_lock:
            if self.request is not None and self.request.is_question:
                self.requests.append(self.request)
                if len(self.requests) == 1:
                    self.server.add_task(self)
        return is_taken

    def service(self) -> None:
        """One task, in a thread: a question or a request."""
        request = self.requests[0]
        if request.completed:
            self.is_refusing = request.is_cut
            super().service()
            return
        limit = _limit(request.path)
        with self.requests_lock:
            request.limit = limit
            request.cut()
            if request.completed:
                # It stays where it is among the tasks, now as a request.
                self.request = None
                self.server.add_task(self)
            else:
                self.requests = [one for one in self.requests if one is not request]
                if request.waits_for_continue:
                    self.send_continue()
        self.server.pull_trigger()

    def readable(self) -> bool:
        """Also what is thrown away while the connection lingers."""
        return self.is_lingering or bool(super().readable())

    def handle_read(self) -> None:
        """Throw it away if the answer has been given."""
        if not self.is_lingering:
            super().handle_read()
        elif not self._discard():
            self.handle_close()

    def handle_close(self) -> None:
        """A sender that is still sending would lose the answer if we just closed, so it gets the rest of `channel_timeout` to end."""
        if self.is_refusing and self.connected and not self.is_lingering:
            self.is_lingering, self.will_close, self.close_when_flushed = True, False, False
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            return
        super().handle_close()

    def _discard(self) -> bool:
        try:
            return bool(self.socket.recv(DISCARDED_AT_ONCE))
        except BlockingIOError:
            return True
        except OSError:
            return False


def ask_first(server: Any) -> None:
    """Have all connections of a waitress server ask `settings.LARGEST_BODY` before they read a large body."""
    for one in (server, *getattr(server, "map", {}).values()):
        if isinstance(one, BaseWSGIServer):
            one.channel_class = Channel


def _limit(path: str) -> int:
    with capture("web.limit_unknown", path=path[:200]):
        # As at the beginning of a request; this is none yet.
        close_old_connections()
        return int(min(import_string(settings.LARGEST_BODY)(path), MAX_BODY_BYTES))
    return MAX_BODY_BYTES
