"""Field kinds that several shapes use."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectField(serializers.DictField):
    """A JSON object, whatever is in it."""


class UpperOrLower(serializers.ChoiceField):
    """A choice that may also be written as the name of the enumeration, `HMAC_SHA256`."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.lower() if isinstance(data, str) else data)
