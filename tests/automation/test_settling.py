"""What an attempt means for an item, and how long a line takes: tables."""

from datetime import UTC, datetime

import pytest

from automation.engine import settling
from config.kernel.flow.errors import LimitReached, PermanentError, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Refused, Waiting
from config.kernel.limits.backoff import Policy

pytestmark = pytest.mark.pure
THREE = Policy(strategy="fixed", base_seconds=5, max_attempts=3)
LATER = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "status", "code", "is_attempt"),
    [
        (Done({"a": 1}), "done", "", True),
        (Failed("broken", "It is broken."), "failed", "broken", True),
        (Refused("no"), "failed", "refused", True),
        (NotConfigured("STEWARD_COMMANDS_FILE"), "held", "not_configured", False),
        (Waiting(LATER), "waiting", "", False),
    ],
)
def test_what_a_processor_answers(outcome, status, code, is_attempt):
    found = settling.after_outcome(outcome)
    assert (found.status, found.code, found.is_attempt) == (status, code, is_attempt)


@pytest.mark.parametrize(
    ("error", "attempt", "status", "wait"),
    [
        (TemporaryError("busy"), 1, "waiting", 5),
        (TemporaryError("busy"), 2, "waiting", 5),
        (TemporaryError("busy"), 3, "failed", None),
        (LimitReached("slow down", retry_after_seconds=90), 1, "waiting", 90),
        (LimitReached("slow down", retry_after_seconds=1), 1, "waiting", 5),
        (PermanentError("bad"), 1, "failed", None),
        (ValueError("a mistake"), 1, "failed", None),
    ],
)
def test_what_a_processor_raises(error, attempt, status, wait):
    found = settling.after_error(error, attempt=attempt, policy=THREE)
    assert (found.status, found.wait_seconds) == (status, wait)


@pytest.mark.parametrize(
    ("deaths", "attempts", "most", "code"),
    [(1, 1, 9, "lost"), (2, 2, 9, "lost"), (3, 3, 9, "quarantined"), (1, 1, 1, "quarantined"), (1, 3, 3, "quarantined")],
)
def test_an_item_whose_workers_vanish_is_quarantined(deaths, attempts, most, code):
    assert settling.after_loss(deaths=deaths, attempts=attempts, policy=Policy(max_attempts=most)).code == code


@pytest.mark.parametrize(
    ("depth", "per_minute", "oldest", "delay"), [(0, 0, 0, 0), (0, 9, 0, 0), (12, 6, 5, 120), (12, 0, 45, 45), (1, 0.2, 1, 300)]
)
def test_the_delay_of_a_line_is_its_depth_by_its_pace(depth, per_minute, oldest, delay):
    assert settling.delay_of_line(depth=depth, per_minute=per_minute, oldest_age_seconds=oldest) == delay
