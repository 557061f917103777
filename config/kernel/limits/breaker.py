"""A switch per target, shared by all processes as rows: after failures in a row nothing passes, then one trial decides.

Each step is a compare-and-swap, so that of many workers exactly one gets the trial. Called by whoever sends.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from config.kernel.flow import clock
from config.kernel.models import Breaker

CLOSED, OPEN, HALF_OPEN = Breaker.State.CLOSED, Breaker.State.OPEN, Breaker.State.HALF_OPEN
# A trial that says nothing for this long was killed with its worker; the next may be made.
TRIAL_SECONDS = 60
THRESHOLD = 5
RECOVERY_SECONDS = 60


def state(key: str) -> str:
    """`closed`, `open` or `half_open` (a trial is under way)."""
    found = Breaker.objects.filter(key=key).values_list("state", flat=True).first()
    return str(found or CLOSED)


def may_pass(key: str, *, trial_seconds: float = TRIAL_SECONDS) -> bool:
    """Whether a call may be made now. While open it is True once per recovery time: that caller has the trial and must report.

    A trial not reported within `trial_seconds` frees itself; give more than the call's own deadline.
    """
    if not _not_closed(key).exists():
        return True
    now = clock.now()
    due = _not_closed(key).filter(retry_at__lte=now)
    return bool(due.update(state=HALF_OPEN, retry_at=now + timedelta(seconds=trial_seconds), changed_at=now))


def succeeded(key: str) -> bool:
    """Report a success: it closes a breaker on trial and ends a row of failures. True when the breaker closed now.

    While it is open, only the trial counts: an answer to a call from before says nothing new.
    """
    now = clock.now()
    if _rows(key, HALF_OPEN).update(state=CLOSED, failures=0, opened_at=None, retry_at=None, changed_at=now):
        return True
    _rows(key, CLOSED).filter(failures__gt=0).update(failures=0, changed_at=now)
    return False


def failed(key: str, *, threshold: int = THRESHOLD, recovery_seconds: float = RECOVERY_SECONDS, count: int = 1) -> bool:
    """Report `count` failures in a row. True when the breaker opened now (from closed, or again after a failed trial)."""
    now = clock.now()
    opening = {"state": OPEN, "opened_at": now, "retry_at": now + timedelta(seconds=recovery_seconds), "changed_at": now}
    if not _rows(key, CLOSED).update(failures=F("failures") + count, changed_at=now):
        if _rows(key, HALF_OPEN).update(failures=F("failures") + count, **opening):
            return True
        if _not_closed(key).exists():
            return False  # open already: late answers to calls from before do not prolong it
        Breaker.objects.bulk_create([Breaker(key=key)], ignore_conflicts=True)
        _rows(key, CLOSED).update(failures=F("failures") + count, changed_at=now)
    return bool(_rows(key, CLOSED).filter(failures__gte=threshold).update(**opening))


def record(
    key: str,
    *,
    successes: int,
    failures: int,
    last_was_success: bool,
    threshold: int = THRESHOLD,
    recovery_seconds: float = RECOVERY_SECONDS,
) -> str:
    """Report a handful of calls at once: `open` or `closed` when the state changed now, else an empty string.

    Failures after a success of the same handful cannot be told from those before it, so such a handful counts as one failure.
    """
    if last_was_success:
        return str(CLOSED) if succeeded(key) else ""
    if not failures:
        return ""
    if successes:
        _rows(key, CLOSED).update(failures=0)
    opened = failed(key, threshold=threshold, recovery_seconds=recovery_seconds, count=1 if successes else failures)
    return str(OPEN) if opened else ""


def open_keys(keys: Iterable[str]) -> set[str]:
    """Those of `keys` that are not closed; ask `may_pass` for each of them, the others pass freely. One query."""
    wanted = list(keys)
    if not wanted:
        return set()
    return set(Breaker.objects.filter(key__in=wanted).exclude(state=CLOSED).values_list("key", flat=True))


def retry_at(key: str) -> datetime | None:
    """When the next trial may pass; None while closed."""
    return _not_closed(key).values_list("retry_at", flat=True).first()


def reset(key: str) -> bool:
    """Close it by hand. True when it was not closed."""
    return bool(_not_closed(key).update(state=CLOSED, failures=0, opened_at=None, retry_at=None, changed_at=clock.now()))


def _rows(key: str, wanted: str) -> QuerySet[Breaker]:
    return Breaker.objects.filter(key=key, state=wanted)


def _not_closed(key: str) -> QuerySet[Breaker]:
    return Breaker.objects.filter(key=key).exclude(state=CLOSED)
