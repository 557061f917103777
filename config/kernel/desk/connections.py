"""Connections that somebody wants renewed: each thread closes its own before its next piece of work, and opens new ones when it needs them.
Asked for by the action `automation.reset_connections` or by setting the option; heeded before each task, request and beat."""

import threading
from datetime import datetime, timedelta
from typing import Any

from django.core import signals
from django.db import Error, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from config.kernel.flow import clock
from config.kernel.flow.errors import capture
from config.kernel.models import Option
from config.kernel.wire import http

OPTION = "CONNECTIONS_RESET_AT"
# A wish is heard this much later at most by a thread that works.
FRESH = timedelta(seconds=1)
# An attribute of a connection: which wish it has fulfilled.
_DONE = "_steward_renewed_at"


class _Process:
    """What this process knows: the last wish, when it looked, and which one its HTTP pools have fulfilled."""

    wanted_at: datetime | None = None
    looked_at: datetime | None = None

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.renewed_at = clock.now()
        self.started_at = self.renewed_at


_process = _Process()


def heed() -> None:
    """Close what is broken, and what is older than the last wish. Called between two pieces of work; never raises."""
    with capture("connections.not_closed"):
        close_old_connections()
    renew()


def renew(**_: Any) -> None:
    """Close what is older than the last wish. Before a request Django has closed what is broken already."""
    with capture("connections.not_renewed"):
        open_here = [one for one in connections.all(initialized_only=True) if one.connection is not None and not one.in_atomic_block]
        # A thread without a connection has nothing to close, and must not open one just to ask.
        if open_here and (wanted_at := _wanted_at()) is not None:
            for one in open_here:
                _renew(one, wanted_at)
            _renew_pools(wanted_at)


def watch_requests() -> None:
    """Heed wishes before each request. Called once per process."""
    signals.request_started.connect(renew, dispatch_uid="kernel.connections.renew")


def _renew(one: BaseDatabaseWrapper, wanted_at: datetime) -> None:
    if getattr(one, _DONE, _process.started_at) < wanted_at:
        one.close()
        setattr(one, _DONE, wanted_at)


def _renew_pools(wanted_at: datetime) -> None:
    with _process.lock:
        if _process.renewed_at >= wanted_at:
            return
        _process.renewed_at = wanted_at
    http.close_pools()


def _wanted_at() -> datetime | None:
    """The last wish, as this process read it at most a second ago."""
    now = clock.now()
    if _process.looked_at is None or not timedelta(0) <= now - _process.looked_at <= FRESH:
        try:
            _process.wanted_at = _read()
        except Error:
            return None  # whoever works next meets the broken connection and says so
        _process.looked_at = now
    return _process.wanted_at


def _read() -> datetime | None:
    given = Option.objects.filter(name=OPTION).values_list("value", flat=True).first()
    try:
        return clock.in_utc(datetime.fromisoformat(str(given))) if given else None
    except ValueError:
        return None
