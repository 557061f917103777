"""Who gets which event: a delivery for each endpoint that wants it, a reason for each that does not.
Called by the subscriber, by doors that trigger events, and by replays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from django.db import transaction

from config.kernel.flow import clock, events, jobs
from config.kernel.flow.errors import InvalidInput
from config.kernel.limits import backoff
from config.kernel.models import Event, EventType
from webhooks.engine import filters
from webhooks.engine.filters import Filter
from webhooks.engine.operators import MISSING
from webhooks.enums import EndpointStatus, SkipReason, Strategy
from webhooks.models import Delivery, Endpoint, Skip

CHUNK = 1000
# Only what the decision needs: secrets stay in the database, where nobody pays for decrypting them.
NEEDED = (
    "id",
    "uid",
    "status",
    "events",
    "filter_conditions",
    "ordering_key",
    "retry_strategy",
    "retry_schedule",
    "retry_max_delay_seconds",
)


@dataclass(frozen=True)
class Explanation:
    """Would this event reach this endpoint, and why.

    `reason` is one of `subscribed, paused, not_subscribed, filter, disabled, own_news, not_routed`; `detail` is a sentence.
    """

    would_deliver: bool
    reason: str
    detail: str


@dataclass(frozen=True)
class Triggered:
    """An event and the deliveries it caused at once."""

    event: Event
    delivery_ids: list[str]


def hear(heard: Sequence[Event]) -> None:
    """Store what each endpoint gets of these events, in the caller's transaction; hearing them again changes nothing.

    A paused endpoint's deliveries are made and held; a disabled one's are noted as skipped, and so are filtered ones.
    """
    listeners = _listeners()
    if not listeners or not heard:
        return
    now = clock.now()
    wanted = _Wanted(heard)
    made: list[Delivery] = []
    skipped: list[Skip] = []
    for event in heard:
        for endpoint in listeners:
            found = _judge(event, endpoint, is_subscribed=wanted.by(endpoint, event))
            if found.would_deliver:
                made.append(_delivery(event, endpoint, now))
            elif found.reason in SkipReason.values:
                skipped.append(Skip(event=event, endpoint=endpoint, reason=found.reason, detail=found.detail[:300], created_at=now))
    Skip.objects.bulk_create(skipped, ignore_conflicts=True)
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    if made:
        jobs.nudge("webhooks.deliver")


@transaction.atomic
def trigger(type: str, data: Any, **about: Any) -> list[str]:
    """Publish an event and fan it out at once; the ids of its deliveries. `about`: `uid, subject, source, correlation_id`.

    Raises InvalidInput when the type is unknown or the data do not fit it.
    """
    return _trigger(type, data, **about).delivery_ids


@transaction.atomic
def trigger_test(type: str = "system.status", data: Any = None) -> Triggered:
    """A test event to everyone who subscribed to it; without `data`, as `test_data` has it. Raises InvalidInput."""
    return _trigger(type, test_data(type) if data is None else data)


def test_data(type: str) -> Any:
    """What a test event of this type says: `{"test": true}` for `system.status`, else the type's example."""
    if type == "system.status":
        return {"test": True}
    example = EventType.objects.filter(name=type).values_list("example", flat=True).first()
    return {} if example is None else example


def explain(event: Event, endpoint: Endpoint) -> Explanation:
    """Why the event does or does not reach the endpoint as both are now, with the value that each part of the filter saw."""
    if event.route_note:
        return Explanation(False, "not_routed", event.route_note)
    is_subscribed = events.matches(endpoint.events, event.type, origin=events.origin_of(event))
    found = _judge(event, endpoint, is_subscribed=is_subscribed)
    if not is_subscribed or not endpoint.filter_conditions:
        return found
    compiled = _filter_of(endpoint)
    if isinstance(compiled, str):
        return found
    parts = "; ".join(part.text for part in filters.explain(compiled, event.data))
    return Explanation(found.would_deliver, found.reason, f"{found.detail} ({parts})")


def passes(event: Event, endpoint: Endpoint) -> bool:
    """Whether the endpoint's filter lets the event through."""
    return _refusal(event, endpoint) == ""


def ordering_value(endpoint: Endpoint, event: Event) -> str:
    """What the endpoint's ordering key finds in the event, as text of at most 200 characters; empty where there is none."""
    if not endpoint.ordering_key:
        return ""
    value = filters.look_up(event.data, endpoint.ordering_key)
    if value is MISSING or value is None:
        return ""
    # A sender's text may hold NUL, which PostgreSQL cannot store.
    return value.replace("\0", "\ufffd")[:200] if isinstance(value, str) else orjson.dumps(value).decode()[:200]


def create_missing(endpoint: Endpoint, chosen: Iterable[Event]) -> int:
    """Deliveries of these events to this endpoint where there are none yet; how many were asked for."""
    now = clock.now()
    rows = [_delivery(event, endpoint, now) for event in chosen]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


@transaction.atomic
def catch_up(endpoint: Endpoint, *, since: datetime | None) -> int:
    """Turn what was skipped because the endpoint was disabled (`since` then) into deliveries, oldest first; how many."""
    skipped = Skip.objects.filter(endpoint=endpoint, reason=SkipReason.DISABLED)
    if since is not None:
        skipped = skipped.filter(created_at__gte=since)
    count = 0
    # A thousand bodies may be large, and only an ordering key looks into them.
    skipped = skipped.select_related("event") if endpoint.ordering_key else skipped.select_related("event").defer("event__body")
    while rows := list(skipped.order_by("event_id")[:CHUNK]):
        count += create_missing(endpoint, [row.event for row in rows])
        Skip.objects.filter(pk__in=[row.pk for row in rows]).delete()
    if count:
        jobs.nudge("webhooks.deliver")
    return count


def _listeners() -> list[Endpoint]:
    """Every living endpoint. Disabled ones are locked: enabling one waits for the skips that are noted here, and catches them up."""
    found = list(Endpoint.living.only(*NEEDED))
    disabled = [one.pk for one in found if one.status == EndpointStatus.DISABLED]
    if not disabled:
        return found
    locked = Endpoint.living.select_for_update(of=("self",), no_key=True).filter(pk__in=disabled).only(*NEEDED).order_by("pk")
    return [one for one in found if one.status != EndpointStatus.DISABLED] + list(locked)


class _Wanted:
    """Which endpoints subscribed to which types: asked once per endpoint and type, not per event."""

    def __init__(self, heard: Sequence[Event]) -> None:
        self._kinds = {(event.type, events.origin_of(event)) for event in heard}
        self._by_endpoint: dict[int, set[tuple[str, str]]] = {}

    def by(self, endpoint: Endpoint, event: Event) -> bool:
        """Whether `endpoint` subscribed to the type of `event`."""
        if endpoint.pk not in self._by_endpoint:
            self._by_endpoint[endpoint.pk] = {kind for kind in self._kinds if events.matches(endpoint.events, kind[0], origin=kind[1])}
        return (event.type, events.origin_of(event)) in self._by_endpoint[endpoint.pk]


def _trigger(type: str, data: Any, **about: Any) -> Triggered:
    event = events.publish(type, data=data, **about)
    if not event.route_note:
        hear([event])
    return Triggered(event, list(Delivery.objects.filter(event=event).order_by("id").values_list("uid", flat=True)))


def _judge(event: Event, endpoint: Endpoint, *, is_subscribed: bool) -> Explanation:
    if not is_subscribed:
        return Explanation(False, "not_subscribed", f"It did not subscribe to {event.type}.")
    if _is_own_news(event, endpoint):
        return Explanation(
            False, "own_news", "News of a failing delivery are not sent to where it failed, nor news of such news to anybody."
        )
    if refusal := _refusal(event, endpoint):
        return Explanation(False, SkipReason.FILTER, refusal)
    if endpoint.status == EndpointStatus.DISABLED:
        return Explanation(False, SkipReason.DISABLED, "The endpoint was disabled.")
    if endpoint.status == EndpointStatus.PAUSED:
        return Explanation(True, "paused", "The delivery is held until the endpoint is resumed.")
    return Explanation(True, "subscribed", f"It subscribed to {event.type}.")


def _is_own_news(event: Event, endpoint: Endpoint) -> bool:
    """The guard against news that cause themselves: a dead delivery of the news of a dead delivery, and so on."""
    if not event.type.startswith("delivery."):
        return False
    data = event.data
    if not isinstance(data, Mapping):
        return False
    about = str(data.get("event_type", ""))
    return data.get("endpoint_id") == endpoint.uid or about.startswith("delivery.")


def _refusal(event: Event, endpoint: Endpoint) -> str:
    """Why the filter stops the event, in a few words; empty when it does not."""
    if not endpoint.filter_conditions:
        return ""
    compiled = _filter_of(endpoint)
    return compiled if isinstance(compiled, str) else filters.reason(compiled, event.data)


def _filter_of(endpoint: Endpoint) -> Filter | str:
    return _compiled(orjson.dumps(endpoint.filter_conditions))


@lru_cache(maxsize=1024)
def _compiled(conditions: bytes) -> Filter | str:
    """The filter, or why it cannot be used: a row that was written past the check stops its own endpoint only."""
    try:
        return filters.compile(orjson.loads(conditions))
    except InvalidInput as error:
        return f"filter cannot be used: {error.message}"


def _delivery(event: Event, endpoint: Endpoint, now: datetime) -> Delivery:
    wait = _first_delay(endpoint)
    return Delivery(
        event=event,
        endpoint=endpoint,
        ordering_value=ordering_value(endpoint, event),
        correlation_id=event.correlation_id,
        created_at=now,
        next_attempt_at=now + timedelta(seconds=wait) if wait else now,
    )


def _first_delay(endpoint: Endpoint) -> float:
    """Seconds before the first attempt: none, but where a schedule begins with a wait."""
    if endpoint.retry_strategy != Strategy.SCHEDULE:
        return 0.0
    policy = backoff.Policy(
        strategy="schedule", schedule=tuple(endpoint.retry_schedule), max_delay_seconds=endpoint.retry_max_delay_seconds
    )
    return backoff.delay_seconds(policy, 0) or 0.0
