"""A web process whose database refuses, or takes a connection and says nothing: `/health` says so at once and never hangs (S4-30)."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support import environment, receivers, servers
from tests.support.stack import until

pytestmark = pytest.mark.pure


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    yield receivers.refused_port()


@pytest.mark.parametrize("database", [refusing, silent])
def test_health_is_critical_within_five_seconds(database, tmp_path):
    with database() as database_port:
        port = servers.free_port()
        url = f"postgres://steward:x@127.0.0.1:{database_port}/steward"
        environ = environment.of_process(tmp_path, database_url=url, PORT=str(port), REDIS_URL="", STEWARD_BOOTSTRAP="off")
        with (tmp_path / "web.log").open("wb") as log:
            words = [sys.executable, "manage.py", "web", "--workers", "1"]
            process = subprocess.Popen(words, cwd=environment.ROOT, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            until(lambda: listens(port), seconds=60, what="the web process listening")
            started = time.monotonic()
            with pytest.raises(urllib.error.HTTPError) as answer:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=20)
            assert time.monotonic() - started < 5
            body = json.loads(answer.value.read())
        finally:
            process.terminate()
            process.wait(20)
    assert (answer.value.code, body["status"], body["checks"]["database"]) == (503, "critical", "critical")


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
