"""`manage.py events …`: what happened."""

from collections.abc import Mapping
from typing import Any

from config.kernel.flow import events
from config.kernel.flow.errors import NotFound
from config.kernel.management.deeds import Deed, DeedCommand, json_object, number
from config.kernel.models import Event, EventType
from webhooks.models import Delivery, Skip


def find(uid: str) -> Event:
    """The event. Raises NotFound."""
    found = Event.objects.filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no event {uid!r}; events are removed when their retention ends.")
    return found


def row(event: Event) -> dict[str, Any]:
    """An event as this command shows it."""
    return {"id": event.uid, "type": event.type, "source": event.source, "created_at": event.created_at, "routed_at": event.routed_at}


def latest(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest events."""
    found = Event.objects.defer("body").order_by("-id")
    if given["type"]:
        found = found.filter(type=given["type"])
    return [row(event) for event in found[: given["limit"]]]


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One event, its data and what came of it."""
    event = find(given["id"])
    sent = Delivery.objects.filter(event=event).select_related("endpoint")
    return {
        **row(event),
        "data": event.data,
        "deliveries": [{"id": one.uid, "endpoint": one.endpoint.uid, "status": one.status} for one in sent],
        "skipped": [
            {"endpoint": one.endpoint.uid, "why": one.detail} for one in Skip.objects.filter(event=event).select_related("endpoint")
        ],
        "failures": [f"{one.subscriber}: {one.error}" for one in event.route_failures.all()],
    }


def publish(given: Mapping[str, Any]) -> dict[str, Any]:
    """Store an event; it is delivered by the running workers."""
    done = events.publish_draft(events.Draft(given["type"], given["data"], uid=given["id"], source="program:command line"))
    assert done.event is not None
    return {**row(done.event), "is_new": done.is_new}


def reroute(given: Mapping[str, Any]) -> dict[str, Any]:
    """Every subscriber hears it once more."""
    event = find(given["id"])
    events.reroute(event)
    return row(find(event.uid))


def types(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every name that events may have."""
    return [{"name": one.name, "origin": one.origin, "description": one.description} for one in EventType.objects.order_by("name")]


ID = {"id": {"help": "The event's id."}}


class Command(DeedCommand):
    """A command beside `up` or the workers leaves the work to them; they find it within seconds."""

    help = "Publish events, show what came of them, route them again, list event types."
    deeds = {
        "list": Deed(
            "The newest events.",
            latest,
            {
                "--type": {"default": "", "help": "Only this type."},
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "show": Deed("One event, its data and what came of it.", show, ID),
        "publish": Deed(
            "Publish an event.",
            publish,
            {
                "type": {"help": "Its type; `manage.py events types` lists them."},
                "--data": {"type": json_object, "default": "{}", "help": "Its data, a JSON object."},
                "--id": {"default": "", "help": "An id of your own; the same again gives the first event."},
            },
        ),
        "route": Deed("Let every subscriber hear an event once more.", reroute, ID),
        "types": Deed("Every name that events may have.", types),
    }
