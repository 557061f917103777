"""An event's story: what the kernel knows of it and what every app has to tell, as one time line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.urls import reverse

from config.kernel.flow.errors import capture
from config.kernel.models import Event, RouteFailure
from config.kernel.plugins.contracts import Moment, storytellers, subscribers

MOMENTS_SHOWN = 500
EFFECTS_SHOWN = 50
CAUSES_SHOWN = 16


@dataclass(frozen=True)
class Story:
    """Moments in order of time (`left_out` more were not drawn), the events before it and those it brought about."""

    moments: Sequence[Moment]
    left_out: int
    causes: Sequence[Event]
    effects: Sequence[Event]
    failures: Sequence[RouteFailure]


def tell(event: Event) -> Story:
    """Everything that is known of `event`."""
    effects = list(Event.objects.defer("body").filter(cause_uid=event.uid).order_by("id")[:EFFECTS_SHOWN])
    failures = list(event.route_failures.order_by("id"))
    moments = [*_facts(event), *_failures(failures), *_effects(effects), *_of_the_apps(event)]
    moments.sort(key=lambda moment: moment.at)
    return Story(moments[:MOMENTS_SHOWN], max(len(moments) - MOMENTS_SHOWN, 0), _causes(event), effects, failures)


def _facts(event: Event) -> Iterator[Moment]:
    if event.created_at - event.occurred_at > timedelta(seconds=1):
        yield Moment(event.occurred_at, "event", "Happened, as its sender says")
    yield Moment(event.created_at, "event", f"Stored, from {event.source}", tone="ok")
    if event.requested_task:
        yield Moment(event.created_at, "task", f"Asks for the task {event.requested_task.get('type')}", detail=event.requested_task)
    if event.routed_at is None:
        return
    if event.route_note:
        yield Moment(event.routed_at, "routing", f"Stored, but not routed: {event.route_note}", tone="held")
    else:
        names = ", ".join(sorted({key.partition(".")[0] for key in subscribers.all()})) or "nobody yet"
        yield Moment(event.routed_at, "routing", f"Routed; heard by {names}", tone="ok")


def _failures(failures: Sequence[RouteFailure]) -> Iterator[Moment]:
    for failure in failures:
        again = "It gets another turn by itself." if failure.next_attempt_at else "Mend the cause, then route the event again."
        times = f"{failure.attempts} attempt{'' if failure.attempts == 1 else 's'}"
        text = f"{failure.subscriber.partition('.')[0]} could not take it ({times}). {again}"
        yield Moment(failure.created_at, "routing", text, tone="bad", detail={"error": failure.error})


def _effects(effects: Sequence[Event]) -> Iterator[Moment]:
    for effect in effects:
        yield Moment(effect.created_at, "event", f"Brought about {effect.type}", url=reverse("dashboard:event", args=[effect.uid]))


def _of_the_apps(event: Event) -> Iterator[Moment]:
    for key, storyteller in storytellers.all().items():
        with capture("storyteller.failed", storyteller=key, event=event.uid) as caught:
            yield from list(storyteller(event))
        if caught.error is not None:
            text = f"{key.partition('.')[0]} could not tell its part of the story. The log says why."
            yield Moment(event.created_at, "story", text, tone="bad")


def _causes(event: Event) -> list[Event]:
    """The chain that led here, the first one first. Ends at a cause that retention has removed."""
    found: list[Event] = []
    wanted = event.cause_uid
    while wanted and len(found) < CAUSES_SHOWN:
        cause = Event.objects.defer("body").filter(uid=wanted).first()
        if cause is None:
            break
        found.insert(0, cause)
        wanted = cause.cause_uid
    return found
