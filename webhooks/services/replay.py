"""Past events sent again to one endpoint: counted first, then slowly, with progress, over restarts. Called by doors and the duty."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from config.kernel.flow import clock, jobs, leases, transitions
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.flow.event_types import OWN_PREFIXES
from config.kernel.flow.events import INBOUND
from config.kernel.models import Event, EventType
from config.kernel.watch import audit
from webhooks.engine import patterns
from webhooks.enums import DeliveryStatus, EndpointStatus, ReplayStatus
from webhooks.models import Delivery, Endpoint, Replay, Source
from webhooks.services import deliveries, fanout

DUTY = "webhooks.replay"
PER_MINUTE = 600
LEASE_SECONDS = 60
# One step looks at no more events than this, so that a filter that lets little through does not hold a transaction for long.
SCAN = 500


@dataclass
class _Step:
    """What one step found: events to send, where it stopped, and whether it saw the end."""

    chosen: list[Event] = field(default_factory=list)
    cursor: int = 0
    is_end: bool = False


def find(uid: str) -> Replay:
    """The replay with its endpoint. Raises NotFound."""
    if (found := Replay.objects.select_related("endpoint").filter(uid=uid).first()) is None:
        raise NotFound(f"There is no replay {uid[:64]!r}. Check the id.")
    return found


def preview(
    endpoint: Endpoint, *, since: datetime, until: datetime | None = None, events: Sequence[str] = (), only_failed: bool = False
) -> int:
    """How many events a replay would send: of the window, of the named types (or those subscribed to), that pass the filter.

    `only_failed`: only those the endpoint has not got. Raises InvalidInput for an empty window or an unknown type.
    """
    return _count(_checked(endpoint, since=since, until=until, events=events, only_failed=only_failed))


@transaction.atomic
def start(
    endpoint: Endpoint,
    *,
    since: datetime,
    until: datetime | None = None,
    events: Sequence[str] = (),
    only_failed: bool = False,
    per_minute: int = PER_MINUTE,
    requested_by: str = "",
) -> Replay:
    """Begin to send them again, `per_minute` at most. Raises InvalidInput as `preview`, and Conflict while the endpoint is disabled."""
    if endpoint.status == EndpointStatus.DISABLED or endpoint.deleted_at is not None:
        raise Conflict("Nothing can be sent to a disabled or deleted endpoint. Enable it first.")
    if per_minute < 1:
        raise InvalidInput("per_minute must be at least 1.", fields={"per_minute": ["It must be at least 1."]})
    replay = _checked(endpoint, since=since, until=until, events=events, only_failed=only_failed)
    replay.per_minute, replay.requested_by, replay.total = per_minute, requested_by, _count(replay)
    replay.save(force_insert=True)
    audit.record("replay.started", replay, endpoint=endpoint.uid, total=replay.total, only_failed=only_failed)
    jobs.nudge(DUTY)
    return replay


@transaction.atomic
def pause(replay: Replay) -> bool:
    """Stop after the step under way. False if it is not running."""
    return _step_to(replay, ReplayStatus.PAUSED, "replay.paused")


@transaction.atomic
def resume(replay: Replay) -> bool:
    """Go on where it stopped. False if it is not paused."""
    if not _step_to(replay, ReplayStatus.RUNNING, "replay.resumed", next_step_at=clock.now()):
        return False
    jobs.nudge(DUTY)
    return True


@transaction.atomic
def cancel(replay: Replay) -> bool:
    """End it; what it sent so far stays sent. False if it has ended."""
    return _step_to(replay, ReplayStatus.CANCELLED, "replay.cancelled", finished_at=clock.now())


def due_count(now: datetime) -> int:
    """How many replays have a step to make."""
    return _due(now).filter(Q(lease_until__isnull=True) | Q(lease_until__lte=now)).count()


def work(now: datetime, limit: int) -> int:
    """Make one step of up to `limit` replays; how many steps were made."""
    token, found = leases.claim(_due(now), limit=limit, seconds=LEASE_SECONDS)
    for replay in found:
        _advance(replay, token, now)
    return len(found)


def _due(now: datetime) -> "QuerySet[Replay]":
    return Replay.objects.filter(status=ReplayStatus.RUNNING, next_step_at__lte=now).select_related("endpoint")


@transaction.atomic
def _advance(replay: Replay, token: str, now: datetime) -> None:
    """Send what the pace allows since the last step; the row moves with the deliveries, or not at all."""
    budget = _budget(replay, now)
    step = _next_step(replay, budget)
    mine = Replay.objects.filter(pk=replay.pk, lease_token=token, status=ReplayStatus.RUNNING)
    changes = {"cursor": step.cursor, "done": replay.done + len(step.chosen), "lease_token": "", "lease_until": None}
    if step.is_end:
        changes |= {"status": ReplayStatus.COMPLETED, "finished_at": now}
    else:
        changes["next_step_at"] = _next_step_at(replay, len(step.chosen), budget, now)
    if mine.update(**changes):
        _send(replay, step.chosen)


def _budget(replay: Replay, now: datetime) -> int:
    """The first at once, then one for each interval that went by since the last step was due."""
    late = max(0.0, (now - replay.next_step_at).total_seconds())
    return min(SCAN, 1 + int(late * replay.per_minute / 60))


def _next_step_at(replay: Replay, sent: int, budget: int, now: datetime) -> datetime:
    if sent < budget:
        return now  # the scan ended before the pace did: go on at once
    due = replay.next_step_at + timedelta(seconds=sent * 60 / replay.per_minute)
    # What a step could not make up for is not made up for later: a long stop must not end in a flood.
    return max(due, now) if budget == SCAN else due


def _next_step(replay: Replay, budget: int) -> _Step:
    step = _Step(cursor=replay.cursor)
    found = list(_without_needless_bodies(replay).filter(pk__gt=replay.cursor).order_by("pk")[:SCAN])
    for event in found:
        if len(step.chosen) == budget:
            return step
        step.cursor = event.pk
        if fanout.passes(event, replay.endpoint):
            step.chosen.append(event)
    step.is_end = len(found) < SCAN
    return step


def _without_needless_bodies(replay: Replay) -> "QuerySet[Event]":
    """Hundreds of bodies may be large; only a filter and an ordering key look into them."""
    found = _events(replay)
    return found if replay.endpoint.filter_conditions or replay.endpoint.ordering_key else found.defer("body")


def _send(replay: Replay, chosen: Sequence[Event]) -> None:
    """Ended deliveries are made due again, missing ones are made; what is open already is on its way."""
    if not chosen:
        return
    deliveries.requeue(Delivery.objects.filter(endpoint=replay.endpoint, event__in=chosen))
    fanout.create_missing(replay.endpoint, chosen)
    jobs.nudge("webhooks.deliver")


def _count(replay: Replay) -> int:
    if not replay.endpoint.filter_conditions:
        return _events(replay).count()
    return sum(1 for event in _each(_events(replay)) if fanout.passes(event, replay.endpoint))


def _each(found: "QuerySet[Event]") -> Iterator[Event]:
    return found.order_by("pk").iterator(chunk_size=SCAN)


def _events(replay: Replay) -> "QuerySet[Event]":
    """Events of the window that the endpoint may hear, filters apart. What was stored but never routed is left out."""
    wanted = replay.events or replay.endpoint.events
    found = Event.objects.filter(created_at__gte=replay.since, created_at__lt=replay.until, route_note="").filter(_types(wanted))
    if replay.only_failed:
        got = Delivery.objects.filter(event=OuterRef("pk"), endpoint=replay.endpoint, status=DeliveryStatus.DELIVERED)
        found = found.exclude(Exists(got))
    return found


def _types(wanted: Sequence[str]) -> Q:
    """The rule of `events.matches` as a condition on rows."""
    found = Q(type__in=[one for one in wanted if not one.endswith("*")])
    for one in wanted:
        if one == "*":
            ours = Q(source__startswith=INBOUND)
            for prefix in OWN_PREFIXES:
                ours |= Q(type__startswith=prefix)
            found |= ~ours
        elif one.endswith(".*"):
            found |= Q(type__startswith=one[:-1])
    return found


def _checked(endpoint: Endpoint, *, since: datetime, until: datetime | None, events: Sequence[str], only_failed: bool) -> Replay:
    """The replay as asked for, not stored yet."""
    until = until or clock.now()
    if since >= until:
        raise InvalidInput("The window is empty: `since` must be before `until`.", fields={"since": ["It must be before `until`."]})
    if events:
        known, sources = set(EventType.objects.values_list("name", flat=True)), set(Source.living.values_list("slug", flat=True))
        if problems := patterns.problems(list(events), known=known, sources=sources):
            raise InvalidInput(problems[0], fields={"events": problems})
    return Replay(endpoint=endpoint, since=since, until=until, events=list(events), only_failed=only_failed)


def _step_to(replay: Replay, status: str, action: str, **changes: datetime) -> bool:
    if not transitions.move(replay, to=status, **changes):
        return False
    audit.record(action, replay, done=replay.done, total=replay.total)
    return True
