"""Endpoints, events and deliveries for tests of what goes out, made as rows without the way through the doors."""

from datetime import timedelta
from typing import Any

from config.kernel.flow import clock, events
from config.kernel.flow.events import Draft
from config.kernel.models import Event
from config.kernel.wire import signing
from webhooks.models import Delivery, Endpoint

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TYPE = "system.status"


def endpoint(url: str, **fields: Any) -> Endpoint:
    """An active endpoint that gets `system.status`, with a short total deadline."""
    given = {"secret": SECRET, "events": [TYPE], "timeout_seconds": 5, **fields}
    return Endpoint.objects.create(url=url, **given)


def publish(count: int = 1, *, data: Any = None) -> list[Event]:
    """Stored events that count as routed: nobody else hears them."""
    made = events.publish_many([Draft(TYPE, {"n": number} if data is None else data) for number in range(count)])
    found = [one.event for one in made if one.event]
    Event.objects.filter(pk__in=[one.pk for one in found]).update(routed_at=clock.now())
    return found


def deliveries(target: Endpoint, count: int = 1, *, ordering_value: str = "", due_in: float = 0) -> list[Delivery]:
    """Pending deliveries of new events to `target`, due in so many seconds."""
    due_at = clock.now() + timedelta(seconds=due_in)
    rows = [
        Delivery(event=event, endpoint=target, ordering_value=ordering_value, correlation_id=event.correlation_id, next_attempt_at=due_at)
        for event in publish(count)
    ]
    return Delivery.objects.bulk_create(rows)


def verifies(headers: Any, body: bytes, *, secret: str = SECRET, at: float | None = None) -> bool:
    """Whether a request that a receiver got carries a good Standard Webhooks signature."""
    moment = at if at is not None else clock.now().timestamp()
    signing.standard_verify([secret], headers, body, moment)
    return True
