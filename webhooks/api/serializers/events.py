"""Shapes of events and event types."""

from typing import Any

from rest_framework import serializers

from config.doors.api import ModelSerializer
from config.doors.bodies import Body, Items, ObjectField
from config.kernel.models import Event, EventType
from webhooks.models import Delivery
from webhooks.services import event_types


class EventTypeOut(Body, ModelSerializer):
    """A name that events may have."""

    class Meta:
        model = EventType
        fields = ["name", "description", "schema", "example", "origin"]
        read_only_fields = ["origin"]
        extra_kwargs: dict[str, Any] = {"name": {"validators": []}}

    schema = ObjectField(allow_null=True, required=False)
    example = ObjectField(allow_null=True, required=False)
    name = serializers.RegexField(event_types.NAME, max_length=128, help_text="`noun.past_participle`, in small letters.")


class EventIn(Body):
    """An event to publish."""

    type = serializers.CharField(max_length=128)
    data = ObjectField()  # type: ignore[assignment]
    id = serializers.RegexField(r"^[A-Za-z0-9_-]{1,64}$", required=False, help_text="The same id again gives the first event.")
    subject = serializers.CharField(max_length=128, required=False, help_text="What it happened to, as `kind:id`.")


class EventBatchIn(Body):
    """Up to 1,000 events."""

    events = Items(child=ObjectField(), min_length=1, max_length=1000)


class EventOut(ModelSerializer):
    """An event as lists show it."""

    id = serializers.CharField(source="uid", read_only=True)
    cause = serializers.CharField(source="cause_uid", read_only=True)
    deliveries = serializers.SerializerMethodField(help_text="How many deliveries it caused.")
    requested_task = serializers.DictField(child=serializers.CharField(), allow_null=True, read_only=True)

    class Meta:
        model = Event
        fields = [
            "id",
            "type",
            "source",
            "subject",
            "correlation_id",
            "cause",
            "hops",
            "size",
            "requested_task",
            "occurred_at",
            "created_at",
            "routed_at",
            "route_note",
            "deliveries",
        ]

    def get_deliveries(self, event: Event) -> int:
        """Counted by the query where there is one."""
        counted = getattr(event, "delivery_count", None)
        return int(counted) if counted is not None else Delivery.objects.filter(event=event).count()


class EventDetail(EventOut):
    """An event with its data."""

    data = serializers.JSONField(read_only=True)  # type: ignore[assignment]

    class Meta(EventOut.Meta):
        fields = [*EventOut.Meta.fields, "data"]


class BatchResult(serializers.Serializer[Any]):
    """What became of one event of a batch."""

    id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=["created", "duplicate", "refused"])
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class EventBatchOut(serializers.Serializer[Any]):
    """A result per event, in the order they were sent."""

    created = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BatchResult(many=True)
