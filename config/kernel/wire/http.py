"""The only outbound HTTP client: a total deadline, a byte cap, no redirects, no cookies, and the address rule on every connection.

Called by whoever calls out. Each process has one thread with one event loop and its own pools of connections.
"""

import asyncio
import atexit
import io
import logging
import os
import selectors
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from config.kernel.flow import clock, errors
from config.kernel.wire import addresses, trip
from config.kernel.wire.trip import Trip

log = logging.getLogger("kernel.wire")

K = TypeVar("K")

DNS_SECONDS = 10
KEEPALIVE_SECONDS = 15
# One name server that hangs must not hold up the look-ups of the others.
RESOLVER_THREADS = 32
LARGE_BODY_BYTES = 1024 * 1024
SLACK_BYTES = 1024 * 1024  # of a reply, beside what is read of it: its head, the marks of its chunks, what is under way at the end
DEFAULT_HEADERS = {"User-Agent": "Steward/1.0", "Accept": "*/*", "Accept-Encoding": "identity"}
# Requests that carry one of these may be sent twice without harm.
REPEATABLE_HEADERS = frozenset({"webhook-id", "idempotency-key"})
# What RFC 3986 lets stand in a path or a query; `%` stays, so that nothing is escaped twice.
_LEGAL = "%/?:@!$&'()*+,;=-._~[]"
_FAILURES = (aiohttp.ClientError, OSError, ValueError, RuntimeError, asyncio.CancelledError)


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `timeout_seconds` is over everything, DNS to the last byte read; of the reply at most `max_reply_bytes` are read.

    `is_operator_target` is for addresses that come from the environment; URLs that a row, a rule or a payload can set never have it.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_seconds: float = 30.0
    max_reply_bytes: int = 65536
    is_operator_target: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call. Exactly one of `status` and `error_code` is set; header names are in lower case.

    `error_code`: `dns`, `connect`, `tls`, `timeout` or `blocked_url`; `error` is its sentence, without secrets. `address` is the one
    really connected to. Of the phases (milliseconds), those of DNS, connect and TLS are None on a reused connection.
    """

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    error_code: str
    error: str
    address: str
    started_at: datetime
    duration_ms: float
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None


async def exchange(request: Request) -> Reply:
    """Make the call and wait for its reply. Never raises. May be awaited on any event loop."""
    pool = _pool()
    if asyncio.get_running_loop() is pool.loop:
        return await _exchange(pool, request)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_exchange(pool, request), pool.loop))


def send(request: Request) -> Reply:
    """Make the call and block until its reply. Not from a sink: that would wait for its own thread (RuntimeError)."""
    pool = _pool()
    if threading.current_thread() is pool.thread:
        raise RuntimeError("send() was called on the loop's own thread; await exchange() there")
    return asyncio.run_coroutine_threadsafe(_exchange(pool, request), pool.loop).result()


def submit_all(items: Sequence[tuple[K, Request]], sink: Callable[[K, Reply], None]) -> None:
    """Start all calls at once and return. `sink(key, reply)` is called on the loop's thread as each ends: no ORM there, nothing slow."""
    pool = _pool()
    pool.loop.call_soon_threadsafe(_start_all, pool, tuple(items), sink)


def close_pools() -> None:
    """Close all connections of this process and forget resolved names. Calls under way end as `connect`; the next call opens new ones."""
    pool = _current
    if pool is not None:
        asyncio.run_coroutine_threadsafe(pool.close_sessions(), pool.loop).result(timeout=10)


def _start_all(pool: "_Pool", items: Sequence[tuple[K, Request]], sink: Callable[[K, Reply], None]) -> None:
    for key, request in items:
        task = pool.loop.create_task(_deliver(pool, key, request, sink))
        pool.tasks.add(task)
        task.add_done_callback(pool.tasks.discard)


async def _deliver(pool: "_Pool", key: K, request: Request, sink: Callable[[K, Reply], None]) -> None:
    reply = await _exchange(pool, request)
    with errors.capture("wire.sink_failed", key=key):
        sink(key, reply)


async def _exchange(pool: "_Pool", request: Request) -> Reply:
    is_trusted = request.is_operator_target or addresses.trusted_target(request.url)
    session = pool.session(is_trusted)
    started_at, notes = clock.now(), Trip(is_tls=request.url[:6].lower() == "https:", room=request.max_reply_bytes + SLACK_BYTES)
    trip.current.set(notes)
    headers: dict[str, str] = {}
    body, error = b"", "" if is_trusted else addresses.refusal(request.url)
    code = "blocked_url" if error else ""
    if not error:
        problem: BaseException | None = None
        with errors.capture("http.exchange_failed") as unforeseen:
            try:
                async with asyncio.timeout(request.timeout_seconds):
                    headers, body = await _call(session, request, notes)
            except _FAILURES as usual:
                problem = usual
        if problem := problem or unforeseen.error:
            code, error = trip.explain(problem, notes, seconds=request.timeout_seconds)
    duration_ms = round((time.perf_counter() - notes.started) * 1000, 3)
    if log.isEnabledFor(logging.DEBUG):
        context = {"method": request.method, "host": notes.host, "status": code or notes.status, "ms": duration_ms}
        log.debug("http.exchange", extra={"context": context})
    status = None if code else notes.status
    return Reply(status, headers, body, code, error, notes.address, started_at, duration_ms, *notes.phases())


async def _call(session: aiohttp.ClientSession, request: Request, notes: Trip) -> tuple[dict[str, str], bytes]:
    url = _url(request.url)
    notes.host = url.host_port_subcomponent or notes.host
    try:
        return await _call_once(session, url, request)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        # The other side closed an idle connection just as we wrote on it.
        if not notes.is_reused or notes.answered or REPEATABLE_HEADERS.isdisjoint(name.lower() for name in request.headers):
            raise
        notes.sent = 0.0
        return await _call_once(session, url, request)


async def _call_once(session: aiohttp.ClientSession, url: URL, request: Request) -> tuple[dict[str, str], bytes]:
    body = request.body
    data = io.BytesIO(body) if len(body) > LARGE_BODY_BYTES else body or None
    response = await session.request(request.method, url, data=data, headers=request.headers, allow_redirects=False)
    try:
        found: dict[str, str] = {}
        for name, value in response.headers.items():
            lower = name.lower()
            found[lower] = f"{found[lower]}, {value}" if lower in found else value
        return found, await _read(response.content, request.max_reply_bytes)
    finally:
        response.close()  # A connection whose reply was read to its end is back in the pool already.


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    chunks, room = [], limit
    while room > 0:
        chunk = await content.readany()
        if not chunk:
            break
        chunks.append(chunk[:room])
        room -= len(chunk)
    return b"".join(chunks)


@lru_cache(maxsize=4096)
def _url(typed: str) -> URL:
    """Path and query stay as they were typed but for what may not stand in a request line. Raises ValueError."""
    parsed = URL(typed)
    if not parsed.raw_host:
        raise aiohttp.InvalidURL("no host")
    rest = typed.partition("#")[0].partition("://")[2]
    start = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    path, _, query = quote(rest[start:], safe=_LEGAL).partition("?")
    authority = parsed.raw_authority
    return URL.build(scheme=parsed.scheme, authority=authority, path=path or "/", query_string=query, encoded=True)


class _Pool:
    """One daemon thread, one event loop, and two sessions whose connections never mix: guarded ones and those to operator targets."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.selector = selectors.DefaultSelector()
        self.loop = asyncio.SelectorEventLoop(self.selector)
        self.loop.set_default_executor(ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="steward-resolver"))
        self.tasks: set[asyncio.Task[None]] = set()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self.thread = threading.Thread(target=self._run, name="steward-wire", daemon=True)
        self.thread.start()

    def session(self, is_trusted: bool) -> aiohttp.ClientSession:
        """The session for guarded or for trusted targets. On the loop's thread only."""
        found = self._sessions.get(is_trusted)
        if found is None:
            found = self._sessions[is_trusted] = _open_session(trip.open_socket if is_trusted else trip.guarded_socket)
        return found

    async def close_sessions(self) -> None:
        """Close what is open; later calls open anew."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


def _open_session(factory: Callable[..., object]) -> aiohttp.ClientSession:
    tls = ssl.create_default_context()  # The system's authorities, or those of the file that SSL_CERT_FILE names.
    tls.set_alpn_protocols(["http/1.1"])
    options = {"limit": 0, "limit_per_host": 0, "ttl_dns_cache": DNS_SECONDS, "keepalive_timeout": KEEPALIVE_SECONDS}
    connector = aiohttp.TCPConnector(**options, socket_factory=factory, ssl=tls)  # type: ignore[arg-type]
    connector._factory = partial(trip.Connection, loop=asyncio.get_running_loop())  # type: ignore[assignment]  # no public place
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        headers=DEFAULT_HEADERS,
        response_class=trip.Response,
        auto_decompress=False,
        trust_env=False,
    )


_current: _Pool | None = None
_making = threading.Lock()
_inherited: list[_Pool] = []


def _pool() -> _Pool:
    global _current  # noqa: PLW0603
    found = _current
    if found is not None and found.pid == os.getpid():
        return found
    with _making:
        if _current is None or _current.pid != os.getpid():
            _current = _Pool()
        return _current


def _forget_inherited() -> None:
    """In a forked child: the thread stayed behind, and the parent's selector must not hear of the child's clean-up."""
    global _current, _making  # noqa: PLW0603
    _making = threading.Lock()
    if _current is not None:
        _current.selector.close()
        _inherited.append(_current)  # Kept: collecting it would close transports on a loop that is not ours.
        _current = None


def _stop_at_exit() -> None:
    pool = _current
    if pool is not None and pool.pid == os.getpid():
        with errors.capture("wire.stop_failed"):
            close_pools()
            pool.loop.call_soon_threadsafe(pool.loop.stop)
            pool.thread.join(timeout=5)


os.register_at_fork(after_in_child=_forget_inherited)
atexit.register(_stop_at_exit)
