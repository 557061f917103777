"""Child processes for actions: few, warm, each in its own process group, gone with everything it started when its time is up.
Called by the executor. The other end is `acts.management.child`: a guardian that forks, and the children.

The guardian is started once and has Django set up; a child is forked from it in milliseconds. It kills its children when we end, and when
we did not renew our leases in time: then others may be at the same work already."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from config.kernel.flow.errors import TemporaryError

START_SECONDS = 60.0
GONE_SECONDS = 5.0
LOOK_SECONDS = 0.2
# What an action prints is kept from its end; one that prints more than this in all is stopped.
LOG_BYTES = 64 * 1024
MOST_LOG_BYTES = 8 * 1024 * 1024
MOST_ANSWER_BYTES = 1024 * 1024


@dataclass
class Answer:
    """`kind`: answered, timeout, cancelled, crashed, loud. `body` is what the child said."""

    kind: str
    body: dict[str, Any] | None = None
    log: str = ""
    seconds: float = 0.0


@dataclass
class Child:
    """A process that waits for a call, or is at one."""

    pid: int
    control: socket.socket
    output: socket.socket
    idle_since: float = 0.0

    def close(self) -> None:
        """Our ends; the child takes that for the end of its work."""
        self.control.close()
        self.output.close()


class Runner:
    """The guardian and the children of this process. Safe to be used from several threads, one child for each."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.talking = threading.Lock()
        self.idle: list[Child] = []
        self.guardian: subprocess.Popen[bytes] | None = None
        self.line: socket.socket | None = None

    def run(self, call: Mapping[str, Any], *, seconds: float, must_stop: Callable[[], str]) -> Answer:
        """Have a child do it. `must_stop` is asked several times a second and answers why, or "" to go on. Raises TemporaryError."""
        child = self._child()
        began = time.monotonic()  # making a child is not the action's time
        watch = _Watch(child, began + seconds, must_stop)
        kind, body = watch.until_the_end(orjson.dumps(call))
        took = time.monotonic() - began
        if kind == "answered" and not (body or {}).pop("is_spent", False):
            self._keep(child)
        else:
            self._end(child)
            watch.drain()
            child.close()
        return Answer(kind, body, bytes(watch.log).decode("utf-8", "replace"), took)

    def beat(self, until: float | None) -> None:
        """Our leases hold until this moment of the monotonic clock (None: we have none); after it the guardian ends all children."""
        if self.guardian is not None:
            with contextlib.suppress(TemporaryError):
                self._tell({"deed": "beat", "until": until})

    def retire(self, *, but: int = 0, idle_seconds: float = 0) -> None:
        """End children that have had nothing to do for a while; `but` so many stay warm."""
        now = time.monotonic()
        with self.lock:
            old = [child for child in self.idle[: max(0, len(self.idle) - but)] if now - child.idle_since >= idle_seconds]
            self.idle = [child for child in self.idle if child not in old]
        for child in old:
            self._end(child)
            child.close()

    def close(self) -> None:
        """End the guardian, which takes all children with it."""
        with self.talking:
            guardian, self.guardian = self.guardian, None
            if self.line is not None:
                self.line.close()
                self.line = None
        with self.lock:
            idle, self.idle = self.idle, []
        for child in idle:
            child.close()
        if guardian is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                guardian.wait(GONE_SECONDS)
                return
            guardian.kill()
            guardian.wait()

    def _child(self) -> Child:
        with self.lock:
            while self.idle:
                child = self.idle.pop()
                if not _is_readable(child.control):
                    return child
                child.close()  # it has ended meanwhile
        control, theirs = socket.socketpair()
        output, printed = socket.socketpair()
        with theirs, printed:
            try:
                pid = int(self._tell({"deed": "fork"}, theirs, printed)["pid"])
            except TemporaryError:
                control.close()
                output.close()
                raise
        output.setblocking(False)
        return Child(pid, control, output)

    def _keep(self, child: Child) -> None:
        child.idle_since = time.monotonic()
        with self.lock:
            self.idle.append(child)

    def _end(self, child: Child) -> None:
        """Gone with its whole group and whatever descends from it, before this returns."""
        try:
            self._tell({"deed": "kill", "pid": child.pid})
        except TemporaryError:
            # The guardian is gone; the system ends its children, this those of the child.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)

    def _tell(self, words: Mapping[str, Any], *sockets: socket.socket) -> dict[str, Any]:
        """One word to the guardian and its answer; a dead guardian is replaced for the next fork."""
        with self.talking:
            for _ in range(2):
                line = self._line(is_needed=words["deed"] == "fork")
                if line is None:
                    return {}
                with contextlib.suppress(OSError, orjson.JSONDecodeError):
                    files = [one.fileno() for one in sockets]
                    socket.send_fds(line, [orjson.dumps(words)], files) if files else line.sendall(orjson.dumps(words))
                    return dict(orjson.loads(line.recv(4096)))
                self._forget()
        raise TemporaryError("The process that starts actions cannot be reached. See the log of this worker.", code="no_runner")

    def _line(self, *, is_needed: bool) -> socket.socket | None:
        if self.line is None and is_needed:
            ours, theirs = socket.socketpair()
            with theirs:
                number = theirs.fileno()
                self.guardian = subprocess.Popen(
                    [sys.executable, str(settings.BASE_DIR / "manage.py"), "action_child", str(number)],
                    pass_fds=[number],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd=settings.BASE_DIR,
                    env={**os.environ, "STEWARD_BOOTSTRAP": "off", "DATA_DIR": str(settings.DATA_DIR)},
                    start_new_session=True,
                )
            ours.settimeout(START_SECONDS)
            self.line = ours
            # The very database that we work on.
            ours.send(orjson.dumps({"deed": "begin", "database": str(connection.settings_dict["NAME"])}))
            if not ours.recv(4096):
                self._forget()
                raise TemporaryError("The process that starts actions ended at once. See the log of this worker.", code="no_runner")
        return self.line

    def _forget(self) -> None:
        if self.line is not None:
            self.line.close()
        if self.guardian is not None:
            self.guardian.kill()
            self.guardian.wait()
        self.line = self.guardian = None


class _Watch:
    """Follows one call to its end: the answer, what is printed, the deadline, and whether somebody wants it stopped."""

    def __init__(self, child: Child, deadline: float, must_stop: Callable[[], str]) -> None:
        self.child, self.deadline, self.must_stop = child, deadline, must_stop
        self.log, self.printed = bytearray(), 0
        self.answer = bytearray()

    def until_the_end(self, call: bytes) -> tuple[str, dict[str, Any] | None]:
        """How it ended, and the answer if there is one."""
        try:
            self.child.control.sendall(len(call).to_bytes(4, "big") + call)
        except OSError:
            return "crashed", None
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0:
                return "timeout", None
            if self.must_stop():
                return "cancelled", None
            ready, _, _ = select.select([self.child.control, self.child.output], [], [], min(left, LOOK_SECONDS))
            if self.child.output in ready:
                self.drain()
                if self.printed > MOST_LOG_BYTES:
                    return "loud", None
            if self.child.control in ready:
                if not self._hear():
                    return "crashed", None
                if (body := self._whole()) is not None:
                    self.drain()
                    return "answered", body

    def drain(self) -> None:
        """Take what was printed up to now; its end is kept."""
        with contextlib.suppress(BlockingIOError, OSError):
            while self.printed <= MOST_LOG_BYTES and (more := self.child.output.recv(65536)):
                self.printed += len(more)
                self.log += more
                del self.log[:-LOG_BYTES]

    def _hear(self) -> bool:
        with contextlib.suppress(OSError):
            more = self.child.control.recv(65536)
            self.answer += more
            return bool(more) and len(self.answer) <= MOST_ANSWER_BYTES
        return False

    def _whole(self) -> dict[str, Any] | None:
        size = int.from_bytes(self.answer[:4], "big")
        if len(self.answer) < 4 or len(self.answer) - 4 < size:
            return None
        return dict(orjson.loads(self.answer[4 : 4 + size]))


def _is_readable(one: socket.socket) -> bool:
    return bool(select.select([one], [], [], 0)[0])
