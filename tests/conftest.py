"""What holds for every test: loopback only, no sleeping, nothing remembered from the test before."""

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERIAL = ("journeys", "chaos", "browser")
ALONE = ("test_bench.py",)
LOOPBACK = ("127.", "::1", "::ffff:127.", "localhost")
# Names that by standard lead nowhere; asking for one is not reaching out.
NOWHERE = (".invalid", ".test", ".example", ".localhost", "example.com", "example.org", "example.net")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys, chaos and browser start real processes: after the others, and what strikes or measures alone."""
    for item in items:
        inside = item.path.relative_to(ROOT).parts
        if inside[0] == "tests" and inside[1] in SERIAL:
            item.add_marker(pytest.mark.serial)
        if inside[:2] == ("tests", "chaos") or inside[-1] in ALONE:
            item.add_marker(pytest.mark.alone)
        if item.get_closest_marker("races") and not os.environ.get("DATABASE_URL"):
            item.add_marker(pytest.mark.skip(reason="SQLite writes one after the other"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind: the folder that the settings made for a plain `pytest`."""
    folder = os.environ.get("DATA_DIR", "")
    if not hasattr(config, "workerinput") and Path(folder).name.startswith("steward-test-"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A connection to anywhere else fails, and fails the test even if the code under test took it for a refusal."""
    tried: list[str] = []
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            tried.append(f"connect to {address}")
            raise ConnectionRefusedError(f"tests reach loopback only, not {address}")
        connect(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        if not _is_literal(name) and name not in ("", "localhost", socket.gethostname()):
            if not name.rstrip(".").endswith(NOWHERE):
                tried.append(f"look up {name}")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return getaddrinfo(host, *args, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    assert not tried, f"this test reached outside: {'; '.join(tried)}"


def _is_literal(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name.partition("%")[0])
        except OSError:
            continue
        return True
    return False


@pytest.fixture(autouse=True)
def _no_sleeping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our code and our tests wait for nothing; journeys with real processes may."""
    if request.node.get_closest_marker("serial"):
        return
    sleep = time.sleep

    def refuse(seconds: float) -> None:
        caller = sys._getframe(1).f_code.co_filename
        assert not (seconds > 0 and caller.startswith(str(ROOT)) and "site-packages" not in caller), (
            f"{caller} sleeps {seconds} s in a test"
        )
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", refuse)


@pytest.fixture(autouse=True)
def _nothing_remembered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Caches of options, sources and the like start empty, as in a fresh process."""
    if request.node.get_closest_marker("pure"):
        yield
        return
    from django.core.cache import cache

    from automation.services.judging import arming
    from config.doors import presence, throttles
    from config.kernel.desk import options
    from config.kernel.flow import event_types
    from config.kernel.series import known
    from webhooks.services import sources

    arming.forget()
    cache.clear()
    event_types.forget()
    known.forget()
    options.forget()
    presence.forget()
    throttles.forget()
    sources.forget()
    yield


@pytest.fixture
def scale() -> str:
    """`small` in every ordinary run, `full` when asked for: the same code with the numbers of the requirement."""
    return os.environ.get("STEWARD_TEST_SCALE", "small")


@pytest.fixture
def api_of() -> Callable[..., Any]:
    """A function: user (and optionally scopes) → an API client with that user's token."""
    from rest_framework.test import APIClient

    from config.kernel.desk import tokens

    def make(user: Any, scopes: list[str] | None = None) -> APIClient:
        _, plain = tokens.create(user, name="test", scopes=scopes)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {plain}")
        return client

    return make


@pytest.fixture
def api(api_of: Callable[..., Any], admin_user: Any) -> Any:
    """An API client that may do everything."""
    return api_of(admin_user)
