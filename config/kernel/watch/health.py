"""Is it well? Asks every registered probe at once, each with a deadline; `watch` turns a change into an event.
Called by `/health`, the dashboard, the API, `doctor`, and by the duty `kernel.health`."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import IntegrityError, connections, transaction

from config.kernel.flow import clock, events
from config.kernel.flow.errors import capture
from config.kernel.models import Component
from config.kernel.plugins.contracts import Probe, Probed, probes
from config.kernel.watch import metrics

log = logging.getLogger("kernel.health")

HEALTHY, WARNING, CRITICAL, UNKNOWN, DISABLED = "healthy", "warning", "critical", "unknown", "disabled"
# From bad to good; a disabled component says nothing about the whole.
WORST_FIRST = (CRITICAL, WARNING, UNKNOWN, HEALTHY)
DEADLINE_SECONDS = 2.0
KEPT = timedelta(seconds=5)
_started = time.monotonic()


@dataclass(frozen=True)
class Report:
    """The state of every component by its shown name, and of the whole: the worst of them. Seconds since this process started."""

    status: str
    checks: Mapping[str, Probed]
    uptime_seconds: float
    at: datetime


@dataclass
class _Asked:
    """One run of one probe in its own thread."""

    probe: Probe
    thread: threading.Thread | None = None
    answer: Probed | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.thread.start()

    def is_running(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    def _run(self) -> None:
        with capture("health.probe_failed") as caught:
            self.answer = self.probe()
        if caught.error is not None:
            self.answer = Probed(UNKNOWN, f"The check itself failed: {type(caught.error).__name__}.")
        connections.close_all()


@dataclass
class _Kept:
    """The last report, and the probes that have not come back."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    report: Report | None = None
    hanging: dict[str, _Asked] = field(default_factory=dict)


_kept = _Kept()


def report() -> Report:
    """The state of everything, at most five seconds old; takes at most about two seconds, whatever is broken."""
    with _kept.lock:
        now = clock.now()
        if _kept.report is None or not timedelta(0) <= now - _kept.report.at < KEPT:
            _kept.report = _ask(now)
        return _kept.report


def forget() -> None:
    """The next `report` asks again."""
    with _kept.lock:
        _kept.report = None


def uptime_seconds() -> float:
    """How long this process has been running."""
    return round(time.monotonic() - _started, 3)


def overall(checks: Mapping[str, Probed]) -> str:
    """The worst state among those that are not disabled; `unknown` when there are none."""
    found = {one.status for one in checks.values()}
    return next((status for status in WORST_FIRST if status in found), UNKNOWN)


def shown_name(key: str) -> str:
    """`kernel.database` is shown as `database`."""
    return key.partition(".")[2]


def watch() -> list[str]:
    """Write down the components whose state has changed and publish `system.status` for each; their names."""
    forget()
    now, found = clock.now(), report().checks
    return [name for name, probed in found.items() if step(name, probed, at=now)]


def step(name: str, probed: Probed, *, at: datetime) -> bool:
    """Move one component to a state and publish the change once, whoever else sees it too. False when it was there already."""
    with transaction.atomic():
        before = Component.objects.filter(key=name).first()
        if before is None:
            return _first_seen(name, probed, at)
        if before.status == probed.status:
            Component.objects.filter(pk=before.pk).exclude(detail=probed.detail).update(detail=probed.detail)
            return False
        changed = Component.objects.filter(pk=before.pk, status=before.status).update(status=probed.status, detail=probed.detail, since=at)
        if changed:
            _announce(name, probed)
        return bool(changed)


def was_away(name: str, *, since: datetime, detail: str) -> bool:
    """Tell afterwards what nobody could write down meanwhile: `name` was critical from `since` until now, and is well again."""
    row = Component.objects.filter(key=name).first()
    if row is None or row.since >= since or row.status == CRITICAL:
        return False
    fell = step(name, Probed(CRITICAL, detail), at=since)
    return fell and step(name, Probed(HEALTHY, "It is back."), at=clock.now())


def _first_seen(name: str, probed: Probed, at: datetime) -> bool:
    try:
        with transaction.atomic():
            Component.objects.create(key=name, status=probed.status, detail=probed.detail, since=at)
    except IntegrityError:
        return False
    is_news = probed.status in (WARNING, CRITICAL)
    if is_news:
        _announce(name, probed)
    return is_news


def _announce(name: str, probed: Probed) -> None:
    log.warning("component.changed", extra={"context": {"component": name, "status": probed.status, "detail": probed.detail}})
    metrics.count("component_changes_total", component=name, status=probed.status)
    with capture("component.announce_failed", component=name), transaction.atomic():
        data = {"status": probed.status, "component": name, "details": probed.detail}
        events.publish("system.status", data=data, subject=f"component:{name}")


def _ask(now: datetime) -> Report:
    asked = {key: _start(key, probe) for key, probe in probes.all().items()}
    deadline = time.monotonic() + DEADLINE_SECONDS
    for one in asked.values():
        if one.thread is not None:
            one.thread.join(max(0.0, deadline - time.monotonic()))
    _kept.hanging = {key: one for key, one in asked.items() if one.is_running()}
    checks = {shown_name(key): one.answer or Probed(CRITICAL, f"No answer in {DEADLINE_SECONDS:.0f} s.") for key, one in asked.items()}
    return Report(overall(checks), checks, uptime_seconds(), now)


def _start(key: str, probe: Probe) -> _Asked:
    """A probe that still hangs from the last time is waited for again, not started beside itself."""
    hanging = _kept.hanging.get(key)
    if hanging is not None and hanging.is_running():
        return hanging
    asked = _Asked(probe)
    asked.start()
    return asked
