"""What a reply means: delivered, again later, or given up. Pure; called by dispatch when it records attempts."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from config.kernel.limits import backoff
from config.kernel.limits.backoff import Policy
from webhooks.enums import DeliveryStatus, ErrorCode

# Who says "too many", and who does not answer in time, is given at least this long.
PATIENCE_SECONDS = 60.0
TOO_MANY, UNAVAILABLE, GONE = 429, 503, 410
# A number with more digits than this is no wait anybody means.
MOST_DIGITS = 9


@dataclass(frozen=True)
class Decision:
    """What next. `status` is `delivered`, `retrying` (at `next_attempt_at`) or `dead`.

    `error_code` is the attempt's error class, empty after a success. `disables_endpoint`: the receiver said it is gone for good.
    `is_failure`: it counts against the endpoint (its breaker, its days of failure); an address that we refuse does not.
    """

    status: str
    next_attempt_at: datetime | None = None
    error_code: str = ErrorCode.NONE
    disables_endpoint: bool = False
    is_failure: bool = False


def decide(
    *,
    status_code: int | None,
    error_code: str,
    attempt: int,
    policy: Policy,
    now: datetime,
    retry_after: str = "",
    chance: float = 0.0,
) -> Decision:
    """What to do after attempt number `attempt` (from 1, counted since the last redelivery).

    `error_code` is the transport's, empty when a reply came.
    Any 2xx is a success. Every other status is a failure: 3xx is never followed, and 4xx is retried exactly like 5xx, because a
    receiver that is being deployed or re-keyed answers 401, 403 or 404 for a while and the events must not be lost. 410 says for good:
    the delivery is dead at once and the endpoint is disabled. DNS, connection, TLS and time-out failures are retried alike; an address
    we may not call (`blocked_url`) is dead at once. `retry_after` (the header, seconds or HTTP date) is honoured on 429 and 503 up to
    the policy's ceiling; 429 and time-outs wait at least 60 s. `chance` is the dice of the jitter.
    """
    if not error_code and status_code is not None and 200 <= status_code <= 299:
        return Decision(DeliveryStatus.DELIVERED)
    reason = error_code or ErrorCode.HTTP_STATUS
    if reason == ErrorCode.BLOCKED_URL:
        return Decision(DeliveryStatus.DEAD, error_code=reason)
    if status_code == GONE and not error_code:
        return Decision(DeliveryStatus.DEAD, error_code=reason, disables_endpoint=True, is_failure=True)
    delay = backoff.delay_seconds(policy, attempt, chance)
    if delay is None:
        return Decision(DeliveryStatus.DEAD, error_code=reason, is_failure=True)
    asked = retry_after_seconds(retry_after, now=now) if status_code in (TOO_MANY, UNAVAILABLE) else None
    if asked is not None:
        delay = max(delay, min(asked, policy.max_delay_seconds))
    if status_code == TOO_MANY or reason == ErrorCode.TIMEOUT:
        delay = max(delay, PATIENCE_SECONDS)
    return Decision(DeliveryStatus.RETRYING, now + timedelta(seconds=delay), error_code=reason, is_failure=True)


def retry_after_seconds(value: str, *, now: datetime) -> float | None:
    """Seconds from a `Retry-After` header (RFC 9110: seconds or an HTTP date); None when it says neither. Never negative, never raises."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= MOST_DIGITS else float("9" * MOST_DIGITS)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
