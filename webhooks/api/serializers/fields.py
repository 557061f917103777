"""Field kinds that several shapes use."""

from typing import Any

from rest_framework import serializers


class Named(serializers.DictField):
    """An object of names and values, at most `max_length` of them; their number is judged first."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(**options)
        self.max_length = max_length

    def run_child_validation(self, data: Any) -> Any:
        if len(data) > self.max_length:
            raise serializers.ValidationError(f"At most {self.max_length} may be named; these are {len(data)}.")
        return super().run_child_validation(data)


class UpperOrLower(serializers.ChoiceField):
    """A choice that may also be written as the name of the enumeration, `HMAC_SHA256`."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data.lower() if isinstance(data, str) else data)
