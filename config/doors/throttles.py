"""How many API calls a user may make in a minute, over all processes. Called by DRF for every authenticated request."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rest_framework.permissions import SAFE_METHODS
from rest_framework.throttling import BaseThrottle

from config.kernel.desk import options
from config.kernel.flow import clock, events
from config.kernel.flow.errors import LimitReached, capture
from config.kernel.limits import ratelimit

WINDOW = timedelta(minutes=1)
# A process takes a hundredth of a minute's calls at a time, so that not every call costs a shared write.
PORTIONS = 100


@dataclass(frozen=True)
class Quota:
    """What a kind of call may be made how often in a minute, by whom."""

    kind: str
    user_id: str
    per_minute: int

    @property
    def key(self) -> str:
        """The key of the bucket that all processes share."""
        return f"api:{self.kind}:{self.user_id}"


_spare: dict[Quota, tuple[int, datetime]] = {}
_announced: dict[str, int] = {}
_lock = threading.Lock()


class UserThrottle(BaseThrottle):
    """Per user: API_RATE_PER_MINUTE; changes through a view with `throttle_kind = "manage"`: API_RATE_MANAGE_PER_MINUTE."""

    def allow_request(self, request: Any, view: Any) -> bool:
        """True, or LimitReached (429 with Retry-After) and one event `user.quota_exceeded` a minute."""
        if not request.user.is_authenticated:
            return True
        quota = _quota(request, view)
        wait = _take(quota)
        if wait:
            with capture("quota_event.failed", user=quota.user_id):
                _announce(quota)
            raise LimitReached(
                f"{quota.per_minute} calls of this kind are allowed in a minute. Try again in {max(1, round(wait))} s.",
                retry_after_seconds=wait,
            )
        return True


def forget() -> None:
    """Give up the calls that this process has taken in advance, and what it has announced."""
    with _lock:
        _spare.clear()
        _announced.clear()


def _quota(request: Any, view: Any) -> Quota:
    is_change = getattr(view, "throttle_kind", "") == "manage" and request.method not in SAFE_METHODS
    kind, option = ("manage", "API_RATE_MANAGE_PER_MINUTE") if is_change else ("requests", "API_RATE_PER_MINUTE")
    return Quota(kind, str(request.user.pk), options.get(option))


def _take(quota: Quota) -> float:
    """0.0, or the seconds until there is room."""
    now = clock.now()
    with _lock:
        left, until = _spare.get(quota, (0, now))
        if left and now < until:
            _spare[quota] = (left - 1, until)
            return 0.0
    per_second, burst = quota.per_minute / WINDOW.total_seconds(), quota.per_minute
    granted = ratelimit.take_many(quota.key, max(1, burst // PORTIONS), per_second=per_second, burst=burst)
    if not granted:
        return max(ratelimit.wait_seconds(quota.key, per_second=per_second, burst=burst), 0.001)
    with _lock:
        _spare[quota] = (granted - 1, now + WINDOW)
    return 0.0


def _announce(quota: Quota) -> None:
    """One event per user, kind and minute: its id says which, and an id is stored once. A flood of calls asks the database once."""
    minute = int(clock.now().timestamp() // WINDOW.total_seconds())
    if _announced.get(quota.key) == minute:
        return
    _announced[quota.key] = minute
    data = {"user_id": quota.user_id, "quota_type": f"api_{quota.kind}_per_minute", "current_usage": quota.per_minute}
    events.publish(
        "user.quota_exceeded", subject=f"user:{quota.user_id}", uid=f"evt_quota_{quota.kind}_{quota.user_id}_{minute}", data=data
    )
