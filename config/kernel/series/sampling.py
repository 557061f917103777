"""The tick: every sampler measures, one snapshot is written, rules are told. The duty `kernel.sample`, every AUTOMATION_CHECK_INTERVAL."""

import contextvars
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connections

from config.kernel.flow import clock, jobs, leases, schedules
from config.kernel.flow.errors import capture
from config.kernel.models import Snapshot
from config.kernel.plugins.contracts import duties
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import store, window
from config.kernel.watch import metrics

DEADLINE_SECONDS = 2.0
LEASE_SECONDS = 5.0
# Over a longer time than this a rate says nothing of now.
LONGEST_WINDOW = timedelta(minutes=10)
LOG_SECONDS = 60.0


class Sample:
    """The duty. Beat sends it; where its message was lost the sweep finds it due. Twice in one interval it does nothing."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """1 until the present interval has its snapshot."""
        return 0 if Snapshot.objects.filter(at__range=(store.floor(now, store.interval()), now)).exists() else 1

    def work(self, now: datetime, limit: int) -> int:
        """One tick."""
        tick(now)
        return 0


def tick(now: datetime) -> bool:
    """Measure and write the snapshot of the present interval; False when it is there or somebody else is at it."""
    seconds = store.interval()
    at = store.floor(now, seconds)
    before = Snapshot.objects.filter(at__lte=now).order_by("-at").defer("values").first()  # later ones had a wrong clock
    if before is not None and before.at >= at:
        return False
    if leases.acquire("sample", seconds=min(LEASE_SECONDS, seconds / 2)) is None:
        return False
    metrics.flush()
    between = _window(before)
    values = store.cleaned(measure(between))
    if not values or not store.write(Snapshot(at=at, values=values, measured_at=between.until, counters=between.now)):
        return False
    for key, duty in duties.all().items():
        if getattr(duty, "after_samples", False):
            jobs.nudge(key)
    return True


def measure(between: window.Window) -> dict[str, float | None]:
    """What all samplers say now, each in its own thread. One that fails or is late leaves a gap in its names, and only there."""
    window.enter(between)
    asked = [_ask(key, sampler) for key, sampler in samplers.all().items()]
    end = time.monotonic() + DEADLINE_SECONDS
    for one in asked:
        one.thread.join(max(0.0, end - time.monotonic()))
    values: dict[str, float | None] = {}
    for one in sorted(asked, key=lambda one: one.sampler.overrides):
        if one.thread.is_alive():
            with capture("sampler.late", log_every_seconds=LOG_SECONDS, sampler=one.key):
                raise TimeoutError(f"The sampler did not answer in {DEADLINE_SECONDS:.0f} s.")
        # Of a sampler that overrides even the gap counts: another value of the same name must not stand in for its own unsaid.
        for name in one.names:
            values.pop(name, None)
        values.update(one.answer)
    return values


class _Asked:
    """One run of one sampler, in a thread of its own that knows the window."""

    def __init__(self, key: str, sampler: Sampler) -> None:
        self.key, self.sampler = key, sampler
        self.names: tuple[str, ...] = ()
        self.answer: Mapping[str, float | None] = {}
        self.thread = threading.Thread(target=contextvars.copy_context().run, args=(self.run,), name="sampler", daemon=True)

    def run(self) -> None:
        with capture("sampler.failed", log_every_seconds=LOG_SECONDS, sampler=self.key):
            if self.sampler.overrides:
                self.names = tuple(fact.name for fact in self.sampler.facts())
            self.answer = dict(self.sampler.measure())
        connections.close_all()


_last: dict[str, _Asked] = {}


def _ask(key: str, sampler: Sampler) -> _Asked:
    """Start it, unless its last run still hangs: that one is waited for again, not started beside itself."""
    before = _last.get(key)
    if before is not None and before.sampler is sampler and before.thread.is_alive():
        return before
    _last[key] = asked = _Asked(key, sampler)
    asked.thread.start()
    return asked


def _window(before: Snapshot | None) -> window.Window:
    now = clock.now()
    found = window.tallies()
    is_fresh = before is not None and before.measured_at is not None and timedelta(0) < now - before.measured_at < LONGEST_WINDOW
    if before is None or not is_fresh:
        return window.Window(None, now, {}, found)
    return window.Window(before.measured_at, now, before.counters, found)


duties.register("kernel.sample", Sample())
schedules.every(30, "sample", args=("kernel.sample",), option="AUTOMATION_CHECK_INTERVAL", about="Measures everything.")
