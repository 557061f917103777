"""Field kinds that several shapes use."""

from typing import Any

from rest_framework import serializers

MOST_SECONDS = 2_147_483_647


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
