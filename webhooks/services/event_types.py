"""Event types of programs: made, changed and removed by people. Our own catalogue is fixed."""

import re
from itertools import islice
from typing import Any

from django.db import IntegrityError, transaction

from config.kernel.flow import event_types as catalogue
from config.kernel.flow.errors import Conflict, InvalidInput, NotFound
from config.kernel.models import EventType
from config.kernel.watch import audit
from webhooks.models import Endpoint

NAME = r"^[a-z0-9_]+(\.[a-z0-9_]+)+$"


def find(name: str) -> EventType:
    """The event type. Raises NotFound."""
    found = EventType.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no event type {name!r}.")
    return found


def create(*, name: str, description: str = "", schema: Any = None, example: Any = None) -> EventType:
    """Add a type. Raises Conflict when the name is taken, InvalidInput for a name, schema or example that cannot be used."""
    if not re.fullmatch(NAME, name):
        sentence = "It must be `noun.past_participle` in small letters, digits and `_`, such as order.paid."
        raise InvalidInput(f"The name {name[:60]!r} cannot be used. {sentence}", fields={"name": [sentence]})
    _check(schema, example)
    try:
        with transaction.atomic():
            made = EventType.objects.create(name=name, description=description, schema=schema, example=example)
            audit.record("event_type.created", f"event_type:{name}")
    except IntegrityError:
        raise Conflict(f"There is an event type {name!r} already.") from None
    catalogue.forget()
    return made


@transaction.atomic
def update(row: EventType, *, description: str = "", schema: Any = None, example: Any = None) -> EventType:
    """Change a type; what is left out is emptied. Raises Conflict for a type of our own catalogue."""
    _refuse_ours(row, "changed")
    _check(schema, example)
    before = {"description": row.description, "schema": row.schema, "example": row.example}
    row.description, row.schema, row.example = description, schema, example
    row.save()
    audit.record("event_type.changed", f"event_type:{row.name}", before=before)
    catalogue.forget()
    return row


@transaction.atomic
def delete(row: EventType) -> None:
    """Remove a type. Raises Conflict for our own catalogue, or while a living endpoint subscribes to it by name."""
    _refuse_ours(row, "removed")
    wanted = [endpoint.uid for endpoint in Endpoint.living.only("uid", "events") if row.name in endpoint.events]
    if wanted:
        raise Conflict(f"{row.name} is subscribed to by {', '.join(wanted[:5])}. Change these endpoints first.")
    audit.record("event_type.deleted", f"event_type:{row.name}")
    row.delete()
    catalogue.forget()


def _check(schema: Any, example: Any) -> None:
    if schema is None:
        return
    try:
        validator = catalogue.compile_schema(schema)
    except (ValueError, TypeError) as error:
        said = _sentence(error)
        raise InvalidInput(f"The schema cannot be used: {said}", fields={"schema": [said]}) from None
    wrong = [_sentence(error) for error in islice(validator.iter_errors(example), 5)] if example is not None else []
    if wrong:
        raise InvalidInput(f"The example does not fit the schema: {wrong[0]}", fields={"example": wrong})


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in getattr(error, "instance_path", ()))
    return f"{where or 'the whole'}: {getattr(error, 'message', error)}"[:300]


def _refuse_ours(row: EventType, deed: str) -> None:
    if row.origin == EventType.Origin.CATALOGUE:
        raise Conflict(f"{row.name} belongs to the built-in catalogue and cannot be {deed}.")
