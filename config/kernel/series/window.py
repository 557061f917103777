"""The time between two ticks, in which counters rose: how samplers make rates. `window.current()` inside of `Sampler.measure`."""

import contextvars
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from config.kernel.models import Tally
from config.kernel.watch.metric_names import BUCKETS

Counters = dict[str, float]


@dataclass(frozen=True)
class Window:
    """Counters now and at the tick before. Without a tick before, or with counters that fell, there is no increase: a gap."""

    since: datetime | None
    until: datetime
    before: Mapping[str, float]
    now: Counters = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds(self) -> float:
        """Length; 0 when there was no tick before."""
        return (self.until - self.since).total_seconds() if self.since else 0.0

    def increase(self, name: str, **labels: str) -> float | None:
        """How much the tallies of `name` rose, over all that carry these labels; one that was not there before rose from 0."""
        if not self.seconds:
            return None
        rises = [value - self.before.get(key, 0.0) for key, value in list(self.now.items()) if _fits(key, name, labels)]
        return sum(rises) if all(rise >= 0 for rise in rises) else None

    def rate(self, name: str, **labels: str) -> float | None:
        """The same in a second."""
        rise = self.increase(name, **labels)
        return None if rise is None else rise / self.seconds

    def mean(self, name: str) -> float | None:
        """Mean seconds of the histogram `name` in this window; None when nothing was timed."""
        count, total = self.increase(f"{name}_count"), self.increase(f"{name}_sum")
        return total / count if count and total is not None else None

    def quantile(self, name: str, share: float) -> float | None:
        """The seconds that `share` of what was timed stayed below: linear inside of a bucket, as Prometheus' histogram_quantile."""
        if not (whole := self.increase(f"{name}_count")):
            return None
        low, below = 0.0, 0.0
        for bound in BUCKETS:
            reached = self.increase(f"{name}_bucket", le=str(bound)) or 0.0
            if reached >= share * whole:
                return low + (bound - low) * (share * whole - below) / (reached - below)
            low, below = bound, reached
        return low

    def rise_of(self, name: str, value: float) -> float | None:
        """How much a counter of this machine rose, which the sampler reads itself; None the first time."""
        key = f"{socket.gethostname()}:{name}"
        with self.lock:
            self.now[key] = value
        before = self.before.get(key)
        return None if before is None or value < before else value - before


_current: contextvars.ContextVar[Window] = contextvars.ContextVar("steward_window")


def current() -> Window:
    """The window of the tick that is under way. Raises LookupError outside of one."""
    return _current.get()


def enter(window: Window) -> None:
    """For the tick: samplers of this context see `window`."""
    _current.set(window)


def tallies() -> Counters:
    """Every tally by `name` and labels, in one statement."""
    return {f"{name}{labels}": value for name, labels, value in Tally.objects.values_list("name", "labels", "value")}


def _fits(key: str, name: str, labels: Mapping[str, str]) -> bool:
    if not key.startswith(name):
        return False
    rest = key[len(name) :]
    if not labels:
        return not rest or rest[0] == "{"
    return rest[:1] == "{" and labels.items() <= json.loads(rest).items()
