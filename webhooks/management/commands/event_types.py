"""`manage.py event_types …`: every name that events may have."""

from collections.abc import Mapping
from typing import Any

from config.kernel.management.deeds import Deed, DeedCommand, json_object
from config.kernel.models import EventType
from webhooks.services import event_types

NAME = {"name": {"help": "Noun and past participle in small letters, such as order.paid."}}
SHAPE: dict[str, dict[str, Any]] = {
    "--description": {"default": "", "help": "What it says, for people."},
    "--schema": {"type": json_object, "metavar": "JSON", "help": "JSON Schema of the data; what does not fit is refused."},
    "--example": {"type": json_object, "metavar": "JSON", "help": "One example of the data; a test event sends it."},
}


def row(one: EventType) -> dict[str, Any]:
    """A type as this command shows it."""
    return {"name": one.name, "origin": one.origin, "description": one.description}


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One type with its schema and example."""
    found = event_types.find(given["name"])
    return {**row(found), "schema": found.schema, "example": found.example}


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new type."""
    return row(event_types.create(name=given["name"], **_shape(given)))


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """Another shape; what is left out is emptied."""
    return row(event_types.update(event_types.find(given["name"]), **_shape(given)))


def delete(given: Mapping[str, Any]) -> dict[str, Any]:
    """Remove one."""
    event_types.delete(event_types.find(given["name"]))
    return {"name": given["name"], "deleted": True}


def _shape(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("description", "schema", "example")}


class Command(DeedCommand):
    """The types of our own catalogue can be shown, not changed."""

    help = "List, show, add, change and remove event types."
    deeds = {
        "list": Deed("Every name that events may have.", lambda given: [row(one) for one in EventType.objects.order_by("name")]),
        "show": Deed("One type with its schema and an example.", show, NAME),
        "create": Deed("Add a type of your own.", create, {**NAME, **SHAPE}),
        "change": Deed("Give a type of your own another shape; what is left out is emptied.", change, {**NAME, **SHAPE}),
        "delete": Deed("Remove a type of your own that no endpoint subscribes to by name.", delete, NAME),
    }
