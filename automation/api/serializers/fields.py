"""Field kinds that several shapes use."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.acts.enums import Priority

MOST_SECONDS = 2_147_483_647


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


class Steps(serializers.ListField):
    """Actions, at most twenty; their number is judged first."""

    most = 20

    def run_child_validation(self, data: Any) -> Any:
        if len(data) > self.most:
            raise serializers.ValidationError(f"A rule has at most {self.most} actions; these are {len(data)}.")
        return super().run_child_validation(data)


def seconds(**options: Any) -> serializers.IntegerField:
    """A length of time in whole seconds."""
    return serializers.IntegerField(min_value=0, max_value=MOST_SECONDS, required=False, **options)
