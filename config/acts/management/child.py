"""The other end of `acts.running.runner`: the guardian, which forks and ends children, and what a child does. Run by `action_child`."""

import contextlib
import ctypes
import logging
import os
import select
import signal
import socket
import sys
import time
from typing import Any, TextIO

import orjson
import psutil
from django.db import connection, connections

from config.acts.executor import performing
from config.acts.executor.results import Result
from config.acts.plugins.actions import Call, actions
from config.kernel.flow import context
from config.kernel.flow.errors import capture
from config.kernel.watch import metrics

if sys.platform != "win32":
    import resource

LOOK_SECONDS = 0.5
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Guardian:
    """Hears one process over `line`; forks, and kills for it. When the line is cut, or its leases ran out, no child is left."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self.children: set[int] = set()
        self.until: float | None = None

    def watch(self) -> None:
        """Until the line is cut."""
        while True:
            ready, _, _ = select.select([self.line], [], [], LOOK_SECONDS)
            self._reap()
            if self.until is not None and time.monotonic() > self.until:
                self.kill_all()
            if ready and not self._obey():
                break
        self.kill_all()

    def kill_all(self) -> None:
        """Every child and all that descends from it."""
        for pid in list(self.children):
            self._kill(pid)

    def _obey(self) -> bool:
        said, files, _, _ = socket.recv_fds(self.line, 65536, 2)
        if not said:
            return False
        words = orjson.loads(said)
        answer: dict[str, Any] = {}
        if words["deed"] == "begin":
            connection.settings_dict["NAME"] = words["database"]
        elif words["deed"] == "fork":
            answer["pid"] = self._fork(*files)
        elif words["deed"] == "kill":
            self._kill(words["pid"])
        elif words["deed"] == "beat":
            self.until = words["until"]
        self.line.send(orjson.dumps(answer))
        return True

    def _fork(self, control: int, output: int) -> int:
        pid = os.fork()
        if pid == 0:
            self.line.close()
            _be_a_child(control, output)
        os.close(control)
        os.close(output)
        self.children.add(pid)
        return pid

    def _kill(self, pid: int) -> None:
        """Only who was not reaped yet: its number cannot be somebody else's by now."""
        if pid not in self.children:
            return
        descendants: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            descendants = psutil.Process(pid).children(recursive=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        for one in descendants:
            with contextlib.suppress(psutil.Error):
                one.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        self.children.discard(pid)

    def _reap(self) -> None:
        for pid in list(self.children):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            # What it left behind in its group ends with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            self.children.discard(pid)


def _be_a_child(control: int, output: int) -> None:
    """Never returns."""
    with capture("child.failed") as caught:
        os.setsid()
        _end_with_the_guardian()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _log_elsewhere(os.fdopen(os.dup(2), "w", buffering=1))
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        sys.stdout = os.fdopen(1, "w", buffering=1, errors="replace", closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)
        with socket.socket(fileno=control) as line:
            _serve(line)
    os._exit(1 if caught.error else 0)


def _end_with_the_guardian() -> None:
    """Killed with -9 it cannot end us itself; the system does, where it knows how to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)


def _log_elsewhere(stream: TextIO) -> None:
    """Our own log goes where the worker's goes; what the action prints goes to its row."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
            handler.setStream(stream)


def _serve(line: socket.socket) -> None:
    while (call := _read(line)) is not None:
        _limit_memory(call["memory_bytes"])
        result = _perform(call)
        is_spent = _tidy_up()
        _limit_memory(None)
        raw = orjson.dumps({**result.as_json(), "is_spent": is_spent})
        line.sendall(len(raw).to_bytes(4, "big") + raw)


def _perform(call: dict[str, Any]) -> Result:
    action = actions.all().get(call["action"])
    if action is None:
        return Result("failed", code="not_found", message=f"The action {call['action']} is not installed in the process that runs actions.")
    told = Call(**call["call"])
    with context.using(**call["context"]):
        return performing.perform(action, call["params"], told, is_undo=call["is_undo"])


def _tidy_up() -> bool:
    """Leave nothing to the next call; whether this process had better end, because there is something that cannot be taken away."""
    metrics.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    if connection.in_atomic_block or connection.needs_rollback:
        connections.close_all()
    for one in connections.all(initialized_only=True):
        one.close_if_unusable_or_obsolete()
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        ours = os.getpgrp()
        return any(os.getpgid(one.pid) == ours for one in psutil.Process().children(recursive=True))
    return True


def _limit_memory(more_bytes: int | None) -> None:
    """Address space beyond what is taken now; None: as much as there is."""
    if sys.platform == "win32":
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = hard if more_bytes is None else psutil.Process().memory_info().vms + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _read(line: socket.socket) -> dict[str, Any] | None:
    """The next call; None when nobody will call any more."""
    head = _exactly(line, 4)
    body = _exactly(line, int.from_bytes(head, "big")) if head else b""
    return dict(orjson.loads(body)) if body else None


def _exactly(line: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        more = line.recv(min(65536, count - len(found)))
        if not more:
            return b""
        found += more
    return bytes(found)
