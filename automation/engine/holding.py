"""How long a condition has held, sample by sample: exact over restarts, because it counts the samples' own times. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

# Samples further apart than this many intervals have a gap between them, which counts for nothing.
GAP_INTERVALS = 2.5
# After a gap as long as this nothing of before is known any more (or as long as the condition must hold, where that is longer).
FORGET_SECONDS = 600


@dataclass(frozen=True)
class Hold:
    """What is known of a condition after the last sample: `seen_at` is that of the last sample whose truth was known."""

    seen_at: datetime | None = None
    was_true: bool = False
    held_seconds: float = 0.0
    is_active: bool = False


def step(hold: Hold, *, at: datetime, truth: bool | None, interval_seconds: float, for_seconds: float) -> Hold:
    """After one more sample. False starts anew; unknown, and a gap between samples, count for nothing and start nothing anew."""
    if truth is None:
        return replace(hold, was_true=False)
    if not truth:
        return Hold(seen_at=at, was_true=False, held_seconds=0.0, is_active=hold.is_active)
    apart = (at - hold.seen_at).total_seconds() if hold.seen_at else 0.0
    # Below nothing: the clock went back, and what was seen before it did says nothing of how long ago that was.
    before = hold.held_seconds if 0 <= apart <= max(FORGET_SECONDS, for_seconds) else 0.0
    gained = apart if hold.was_true and 0 <= apart <= interval_seconds * GAP_INTERVALS else 0.0
    return Hold(seen_at=at, was_true=True, held_seconds=before + gained, is_active=hold.is_active)


def is_of_now(at: datetime, now: datetime, *, interval_seconds: float) -> bool:
    """Whether what was measured at `at` still says something of `now`."""
    return (now - at).total_seconds() <= max(FORGET_SECONDS, interval_seconds * GAP_INTERVALS)


def is_ripe(hold: Hold, *, for_seconds: float) -> bool:
    """Whether it holds now, and has for long enough."""
    return hold.was_true and hold.held_seconds >= for_seconds
