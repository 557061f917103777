"""What is sent to the API: shapes that refuse what they do not know, and kinds of fields. Used by `api/` of each app."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from config.acts.enums import Priority


class Body(serializers.Serializer[Any]):
    """A shape of what is sent. A name that it does not know is refused: misspelt, it would be a wish that nobody fulfils."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            found = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**unknown, **error.detail}) from None  # type: ignore[dict-item]
        if unknown:
            raise serializers.ValidationError(unknown)
        return found

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        known = [name for name, field in self.fields.items() if not field.read_only]
        return {name: [f"There is no such field here. {nearest(name, known)}"] for name in data if name not in known}


def read(shape: Any, request: Request, **options: Any) -> Any:
    """The serializer of what was sent, checked. Raises a 400 that names each field."""
    serializer = shape(data=request.data, **options)
    serializer.is_valid(raise_exception=True)
    return serializer


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectField(serializers.DictField):
    """A JSON object, whatever is in it."""


@extend_schema_field({"type": "string", "enum": [str(name) for name in Priority.labels]})
class PriorityField(serializers.ChoiceField):
    """`low, normal, high, critical`, in any case; the numbers 0 to 3 are taken too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(label, label) for label in Priority.labels], **options)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, int) and not isinstance(data, bool) and data in Priority.values:
            return data
        word = super().to_internal_value(data.strip().lower() if isinstance(data, str) else data)
        return int(Priority.values[Priority.labels.index(word)])

    def to_representation(self, value: Any) -> str:
        return str(Priority(value).label)


class Items(serializers.ListField):
    """A list whose length is judged first: a million wrong items would cost a minute and a sentence each."""

    def run_child_validation(self, data: Any) -> Any:
        if self.max_length is not None and len(data) > self.max_length:
            raise serializers.ValidationError(f"At most {self.max_length} may be sent at once; these are {len(data)}.")
        return super().run_child_validation(data)


def nearest(name: str, known: Sequence[str]) -> str:
    """What was meant perhaps, or what there is."""
    near = difflib.get_close_matches(name[:100], known, 1)
    return f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
