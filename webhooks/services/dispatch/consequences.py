"""What outcomes mean for their endpoints and for people: breaker, days of failure, 410, dead letters. Called by `recording` only."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce

from config.kernel.desk import options
from config.kernel.flow import clock, context, events
from config.kernel.limits import breaker, ratelimit
from config.kernel.models import Breaker
from config.kernel.watch import metrics, notifications
from webhooks.enums import DeliveryStatus, EndpointStatus
from webhooks.models import Delivery, Endpoint
from webhooks.services import endpoints
from webhooks.services.dispatch.sending import Outcome

log = logging.getLogger("webhooks.dispatch")

# The page that shows the last delivery need not know it to the moment; fewer writes under load.
NOTE_EVERY = timedelta(seconds=1)
# People hear of dead letters of one endpoint at most this often.
NOTICE_SECONDS = 3600
GONE = "It answered 410 Gone: it is not there any more."


class Record:
    """Lets each endpoint bear the consequences of what it answered. One per pipeline."""

    def __init__(self) -> None:
        # When an endpoint was last found to be well: until NOTE_EVERY later, further successes say nothing new of it.
        self._well_at: dict[int, datetime] = {}

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Take these in the order in which they came: times, breaker, 410."""
        now = clock.now()
        found: dict[int, list[Outcome]] = defaultdict(list)
        for one in outcomes:
            found[one.claimed.endpoint_id].append(one)
        news = {pk: mine for pk, mine in found.items() if self._is_news(pk, mine, now)}
        if news:
            _note_times(news, now)
            _report_to_breakers(news)
        for pk, mine in news.items():
            if any(one.decision.disables_endpoint for one in mine):
                _disable(pk)

    def _is_news(self, pk: int, mine: Sequence[Outcome], now: datetime) -> bool:
        if any(one.decision.status != DeliveryStatus.DELIVERED for one in mine):
            self._well_at.pop(pk, None)
            return True
        if pk in self._well_at and now - self._well_at[pk] < NOTE_EVERY:
            return False
        self._well_at[pk] = now
        return True


def announce_dead(outcomes: Sequence[Outcome]) -> None:
    """Say of each delivery that was given up which, where and after how many attempts. Runs in the transaction that gives it up."""
    for one in outcomes:
        members = Delivery.objects.select_related("event", "endpoint").defer("event__body")
        rows = members.filter(batch=one.claimed.id) if one.claimed.is_batch else members.filter(pk=one.claimed.id)
        dead = list(rows.filter(status=DeliveryStatus.DEAD).order_by("id"))
        for delivery in dead:
            _announce(delivery)
        metrics.count("webhook_dead_letters_total", len(dead))
        if dead:
            _notify(dead[0].endpoint)


def _announce(delivery: Delivery) -> None:
    event, endpoint = delivery.event, delivery.endpoint
    data = {
        "delivery_id": delivery.uid,
        "endpoint_id": endpoint.uid,
        "event_id": event.uid,
        "event_type": event.type,
        "attempts": delivery.attempt_count,
        "error_code": delivery.last_error_code,
        "status_code": delivery.last_status_code,
    }
    named = {"eventId": event.uid, "endpoint": endpoint.uid, "attempts": delivery.attempt_count, "delivery": delivery.uid}
    log.error("delivery.dead", extra={"context": {**named, "error": delivery.last_error_code, "status": delivery.last_status_code}})
    if event.type == "delivery.dead":
        return  # An endpoint that hears of dead letters and is dead itself would never rest.
    with context.using(cause_uid=event.uid, hops=event.hops, correlation_id=event.correlation_id):
        events.publish_many([events.Draft("delivery.dead", data, subject=f"delivery:{delivery.uid}")])


def _notify(endpoint: Endpoint) -> None:
    if ratelimit.take(f"dead-notice:{endpoint.pk}", per_second=1 / NOTICE_SECONDS, burst=1) > 0:
        return
    notifications.notify(
        f"Deliveries to {endpoint.title} were given up",
        message=f"{endpoint.shown_url} did not take them in all attempts. Mend the receiver, then send the dead letters again.",
        urgency="high",
        link=f"/dead-letters?endpoint={endpoint.uid}",
        subject=f"endpoint:{endpoint.uid}",
    )


def _note_times(found: dict[int, list[Outcome]], now: datetime) -> None:
    """When each endpoint last took something and last failed, and since when it does nothing but fail."""
    well = [pk for pk, mine in found.items() if any(one.decision.status == DeliveryStatus.DELIVERED for one in mine)]
    if well:
        Endpoint.objects.filter(pk__in=well).update(last_delivered_at=now, failing_since=None)
    bad = [pk for pk, mine in found.items() if any(one.decision.is_failure for one in mine)]
    if bad:
        failing = [pk for pk in bad if found[pk][-1].decision.is_failure]
        since: Any = Case(When(pk__in=failing, then=Coalesce(F("failing_since"), Value(now))), default=F("failing_since"))
        Endpoint.objects.filter(pk__in=bad).update(last_failed_at=now, failing_since=since)


def _report_to_breakers(found: dict[int, list[Outcome]]) -> None:
    """Only those that failed, or whose breaker has something to forget: a healthy endpoint costs no statement."""
    keys = {f"endpoint:{pk}": pk for pk in found}
    uneasy = set(Breaker.objects.filter(key__in=keys).exclude(state=breaker.CLOSED, failures=0).values_list("key", flat=True))
    for key, pk in keys.items():
        mine = [one for one in found[pk] if one.decision.is_failure or one.decision.status == DeliveryStatus.DELIVERED]
        failures = sum(one.decision.is_failure for one in mine)
        if mine and (failures or key in uneasy):
            _report(key, pk, successes=len(mine) - failures, failures=failures, last_was_success=not mine[-1].decision.is_failure)


def _report(key: str, pk: int, *, successes: int, failures: int, last_was_success: bool) -> None:
    changed = breaker.record(
        key,
        successes=successes,
        failures=failures,
        last_was_success=last_was_success,
        threshold=options.get("WEBHOOK_BREAKER_THRESHOLD"),
        recovery_seconds=options.get("WEBHOOK_BREAKER_RECOVERY"),
    )
    if changed == breaker.OPEN:
        until = breaker.retry_at(key)
        Endpoint.objects.filter(pk=pk).update(breaker_open_until=until)
        metrics.count("webhook_breaker_opened_total")
        log.warning("endpoint.breaker_opened", extra={"context": {"endpoint": pk, "until": until and clock.text(until)}})
    elif changed == breaker.CLOSED:
        Endpoint.objects.filter(pk=pk).update(breaker_open_until=None)
        log.info("endpoint.breaker_closed", extra={"context": {"endpoint": pk}})


def _disable(pk: int) -> None:
    endpoint = Endpoint.living.filter(pk=pk).exclude(status=EndpointStatus.DISABLED).first()
    if endpoint is not None:
        endpoints.disable(endpoint, reason=GONE, is_automatic=True)
