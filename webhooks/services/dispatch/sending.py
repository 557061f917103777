"""Turns what was claimed into signed requests, and replies into outcomes, by the endpoints as they are now. Called by `dispatch` only."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from config.kernel.flow import clock
from config.kernel.flow.errors import PermanentError, capture
from config.kernel.limits.backoff import Policy
from config.kernel.wire import http
from webhooks.engine import envelope, policy
from webhooks.models import Endpoint
from webhooks.services import endpoints
from webhooks.services.dispatch.claiming import Claimed

# What a person changes takes effect within this; secrets are decrypted no more often.
FRESH = timedelta(milliseconds=800)


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint as a request needs it: where, signed how, how long, and what its failures lead to."""

    url: str
    credentials: envelope.Credentials
    timeout_seconds: float
    policy: Policy
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request that ended: what it was for, what was sent, what came back, and what follows from it."""

    claimed: Claimed
    request: http.Request
    reply: http.Reply
    decision: policy.Decision
    at: datetime


class AddressBook:
    """Addresses of endpoints, read at most FRESH ago. One per drain."""

    def __init__(self) -> None:
        self._known: dict[int, Address] = {}

    def __getitem__(self, endpoint_id: int) -> Address:
        return self._known[endpoint_id]

    def __contains__(self, endpoint_id: int) -> bool:
        return endpoint_id in self._known

    def refresh(self, endpoint_ids: Iterable[int]) -> None:
        """Read those that are unknown or too old, in one statement; none when all are fresh."""
        now = clock.now()
        stale = {pk for pk in endpoint_ids if pk not in self._known or not timedelta(0) <= now - self._known[pk].read_at <= FRESH}
        if not stale:
            return
        for endpoint in _endpoints(stale):
            self._known[endpoint.pk] = Address(
                url=endpoint.url,
                credentials=endpoints.credentials(endpoint, now=now),
                timeout_seconds=endpoints.timeout_seconds(endpoint),
                policy=endpoints.retry_policy(endpoint),
                read_at=now,
            )


def request_of(claimed: Claimed, address: Address, *, now: datetime) -> http.Request:
    """The signed request of this attempt. The client itself refuses a URL that is not HTTPS or leads where it must not."""
    message = envelope.Message(
        event_type=claimed.event_type,
        uid=claimed.message_uid,
        body=claimed.body,
        attempt=claimed.number,
        timestamp=int(now.timestamp()),
        correlation_id=claimed.correlation_id,
    )
    signed = envelope.sign(message, url=address.url, credentials=address.credentials)
    return http.Request("POST", signed.url, signed.headers, signed.body, timeout_seconds=address.timeout_seconds)


def judge(claimed: Claimed, request: http.Request, reply: http.Reply, address: Address) -> Outcome:
    """What follows from a reply, by the endpoint's policy."""
    now = clock.now()
    decision = policy.decide(
        status_code=reply.status,
        error_code=reply.error_code,
        attempt=claimed.tries,
        policy=address.policy,
        now=now,
        retry_after=reply.headers.get("retry-after", ""),
        chance=random.random(),  # noqa: S311 - spreads retries, guards nothing
    )
    return Outcome(claimed, request, reply, decision, now)


def _endpoints(ids: Iterable[int]) -> list[Endpoint]:
    """Those whose secrets can be read; one that cannot must not stop the others."""
    try:
        return list(Endpoint.objects.filter(pk__in=ids))
    except PermanentError:
        found: list[Endpoint] = []
        for pk in ids:
            with capture("endpoint.unreadable", endpoint=pk):
                found += Endpoint.objects.filter(pk=pk)
        return found
