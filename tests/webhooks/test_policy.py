"""What a reply means, by table."""

from datetime import UTC, datetime, timedelta

import pytest

from config.kernel.limits.backoff import Policy
from webhooks.engine import policy
from webhooks.engine.policy import Decision

pytestmark = pytest.mark.pure
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
S0 = Policy(strategy="exponential", base_seconds=5, max_attempts=4, max_delay_seconds=3600)
S2 = Policy(strategy="schedule", schedule=(0, 60, 300, 900, 3600), max_attempts=5)


def decide(status_code: int | None = None, error_code: str = "", *, attempt: int = 1, retry_after: str = "", by: Policy = S0) -> Decision:
    return policy.decide(status_code=status_code, error_code=error_code, attempt=attempt, policy=by, now=NOW, retry_after=retry_after)


def wait(decision: Decision) -> float:
    assert decision.next_attempt_at is not None
    return (decision.next_attempt_at - NOW).total_seconds()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert decide(status) == Decision("delivered")


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 400, 401, 403, 404, 409, 422, 500, 502, 504])
def test_everything_else_is_tried_again(status: int) -> None:
    found = decide(status)
    assert (found.status, found.error_code, found.is_failure, wait(found)) == ("retrying", "http_status", True, 5)


@pytest.mark.parametrize("error", ["dns", "connect", "tls"])
def test_transport_failures_are_tried_again_and_keep_their_class(error: str) -> None:
    found = decide(None, error)
    assert (found.status, found.error_code, wait(found)) == ("retrying", error, 5)


def test_a_2xx_whose_transport_failed_is_no_success() -> None:
    assert decide(200, "timeout").status == "retrying"


def test_an_address_we_may_not_call_is_dead_at_once_and_no_fault_of_the_endpoint() -> None:
    assert decide(None, "blocked_url") == Decision("dead", error_code="blocked_url")


def test_gone_is_dead_at_once_and_disables_the_endpoint() -> None:
    assert decide(410) == Decision("dead", error_code="http_status", disables_endpoint=True, is_failure=True)


def test_the_waits_of_the_first_source_and_then_dead() -> None:
    found = [decide(500, attempt=attempt) for attempt in (1, 2, 3, 4)]
    assert [wait(one) for one in found[:3]] == [5, 10, 20]
    assert (found[3].status, found[3].next_attempt_at) == ("dead", None)


def test_the_waits_of_the_second_source_and_then_dead() -> None:
    found = [decide(500, attempt=attempt, by=S2) for attempt in (1, 2, 3, 4, 5)]
    assert [wait(one) for one in found[:4]] == [60, 300, 900, 3600]
    assert found[4].status == "dead"


def test_time_outs_and_429_wait_at_least_a_minute() -> None:
    assert wait(decide(None, "timeout")) == 60
    assert wait(decide(429)) == 60
    assert wait(decide(429, by=S2, attempt=3)) == 900


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (429, "120", 120),
        (429, "10", 60),
        (503, "120", 120),
        (503, "2", 5),
        (503, "999999", 3600),
        (503, "9" * 4300, 3600),
        (503, "Sun, 01 Mar 2026 12:02:00 GMT", 120),
        (503, "Sun, 01 Mar 2026 11:00:00 GMT", 5),
        (503, "soon", 5),
        (503, "-5", 5),
        (503, "", 5),
        (500, "120", 5),
        (404, "120", 5),
    ],
)
def test_retry_after_is_honoured_on_429_and_503_up_to_the_ceiling(status: int, header: str, expected: float) -> None:
    assert wait(decide(status, retry_after=header)) == expected


@pytest.mark.parametrize(
    "header", ["", "x", "²", "1e9", "Sun, 99 Mar 2026 12:02:00 GMT", "\x00", "Mon, 01 Jan 99999 00:00:00 GMT", "12 34"]
)
def test_a_header_that_means_nothing_is_nothing(header: str) -> None:
    assert policy.retry_after_seconds(header, now=NOW) is None


def test_a_date_without_a_zone_is_taken_as_utc() -> None:
    assert policy.retry_after_seconds("Sun, 01 Mar 2026 12:00:30", now=NOW) == 30


def test_the_dice_lengthen_the_wait() -> None:
    by = Policy(strategy="fixed", base_seconds=10, jitter=0.5, max_attempts=2)
    found = policy.decide(status_code=500, error_code="", attempt=1, policy=by, now=NOW, chance=1.0)
    assert found.next_attempt_at == NOW + timedelta(seconds=15)
