"""Filters that lists of every app share: from when to when. Used by `api/` of each app; `moment` by pages too."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from config.kernel.flow import clock


def moment(given: str) -> datetime | None:
    """A time in ISO 8601 as a query brings it (its `+` arrives as a blank), in UTC; None for what is no time."""
    try:
        found = parse_datetime(given.replace(" ", "+"))
        return found and clock.in_utc(found)
    except ValueError:
        return None


class _MomentField(IsoDateTimeField):
    """ISO 8601, handed on in UTC."""

    def clean(self, value: Any) -> datetime | None:
        found: datetime | None = super().clean(value)
        try:
            return found and clock.in_utc(found)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class MomentFilter(filters.IsoDateTimeFilter):
    """A moment in ISO 8601."""

    field_class = _MomentField


class FlagFilter(filters.TypedChoiceFilter):
    """`true` or `false`; what is neither is refused, where REST framework's own would give everything."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[(word, word) for word in ("true", "false")], coerce=lambda word: word == "true", **options)


class PeriodFilter(filters.FilterSet):
    """`since` (inclusive) and `until` (exclusive), by when the row was made."""

    since = MomentFilter(field_name="created_at", lookup_expr="gte")
    until = MomentFilter(field_name="created_at", lookup_expr="lt")
