"""What days of unbroken failure lead to: people are warned half-way, then the endpoint is disabled. Run by a duty."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from config.kernel.desk import options
from config.kernel.watch import audit, notifications
from webhooks.enums import EndpointStatus
from webhooks.models import Endpoint
from webhooks.services import endpoints

# Shares of an endpoint's days: when people are warned, and how long they have at least between the warning and the end.
WARNED_AFTER = 0.5
NOTICE = 0.25


def due_count(now: datetime) -> int:
    """How many endpoints `work` would warn of or disable."""
    return sum(1 for endpoint in _failing() if _needs_warning(endpoint, now) or _is_over(endpoint, now))


def work(now: datetime, limit: int) -> int:
    """Warn, once in a row of failures, and disable those that used up their days and still fail; how many of both."""
    done = 0
    for endpoint in _failing():
        if _needs_warning(endpoint, now):
            done += _warn(endpoint, now)
        elif _is_over(endpoint, now):
            reason = f"It has failed without a break for {_days(endpoint)} days."
            done += endpoints.disable(endpoint, reason=reason, is_automatic=True)
    return done


def disables_at(endpoint: Endpoint) -> datetime | None:
    """When it will be disabled unless a delivery succeeds before: the countdown of its page. None while it does not fail, or never.

    Never sooner than the notice after its warning: days that were shortened, or a house that was off, take no warning away.
    """
    days = _days(endpoint)
    if endpoint.failing_since is None or not days or endpoint.status == EndpointStatus.DISABLED:
        return None
    end = endpoint.failing_since + timedelta(days=days)
    return max(end, endpoint.warned_at + timedelta(days=days * NOTICE)) if _was_warned(endpoint) and endpoint.warned_at else end


def _failing() -> list[Endpoint]:
    """Those in use: who paused one is at it already, and nothing is sent there that could fail."""
    return list(Endpoint.living.filter(failing_since__isnull=False, status=EndpointStatus.ACTIVE))


def _needs_warning(endpoint: Endpoint, now: datetime) -> bool:
    days = _days(endpoint)
    if endpoint.failing_since is None or not days or _was_warned(endpoint):
        return False
    return endpoint.failing_since + timedelta(days=days * WARNED_AFTER) <= now


def _was_warned(endpoint: Endpoint) -> bool:
    """Whether people were warned since it began to fail."""
    return bool(endpoint.warned_at and endpoint.failing_since and endpoint.warned_at >= endpoint.failing_since)


@transaction.atomic
def _warn(endpoint: Endpoint, now: datetime) -> bool:
    unwarned = Q(warned_at__isnull=True) | Q(warned_at__lt=F("failing_since"))
    if not Endpoint.objects.filter(unwarned, pk=endpoint.pk, failing_since=endpoint.failing_since).update(warned_at=now):
        return False
    endpoint.warned_at = now
    since, until = endpoint.failing_since, disables_at(endpoint)
    notifications.notify(
        f"The endpoint {endpoint.title} fails and will be disabled",
        message=f"{endpoint.shown_url} has taken nothing since {since:%Y-%m-%d %H:%M} UTC. Unless a delivery gets through before, "
        f"it is disabled at {until:%Y-%m-%d %H:%M} UTC. Mend the receiver, or pause the endpoint until it is mended.",
        urgency="high",
        link=f"/endpoints/{endpoint.uid}",
        subject=audit.subject_of(endpoint),
    )
    return True


def _is_over(endpoint: Endpoint, now: datetime) -> bool:
    """Its days are over, and it failed after that too: an endpoint that nothing was sent to has proved nothing."""
    end = disables_at(endpoint)
    return end is not None and end <= now and (endpoint.last_failed_at is None or endpoint.last_failed_at >= end)


def _days(endpoint: Endpoint) -> int:
    return int(options.get("WEBHOOK_AUTO_DISABLE_DAYS") if endpoint.auto_disable_days is None else endpoint.auto_disable_days)
