"""Shapes of queues and items."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from automation.models import Queue, WorkItem
from automation.services import queues, work
from config.doors.api import ModelSerializer
from config.doors.bodies import Body, Items, ObjectField, PriorityField

SLUG = "Write small letters, digits and _, beginning with a letter; conditions use it as a name."
SETTINGS = [
    "slug",
    "name",
    "processor",
    "parameters",
    "is_automatic",
    "max_in_progress",
    "timeout_seconds",
    "max_attempts",
    "retry_strategy",
    "retry_base_seconds",
    "retry_max_delay_seconds",
    "max_length",
    "delayed_depth",
    "delayed_age_seconds",
]


def whole(name: str, **options: Any) -> serializers.IntegerField:
    """A whole number within the bounds of the queue's field of that name."""
    least, most = queues.BOUNDS[name]
    return serializers.IntegerField(min_value=least, max_value=most, required=False, allow_null=name in queues.MAY_BE_EMPTY, **options)


class QueueIn(Body):
    """A queue."""

    slug = serializers.RegexField(
        r"^[a-z][a-z0-9_]*$",
        max_length=48,
        error_messages={"invalid": SLUG},
        help_text=SLUG,
    )
    name = serializers.CharField(required=False, allow_blank=True, max_length=120)
    processor = serializers.CharField(required=False, allow_blank=True, max_length=128, help_text="What works its items off.")
    parameters = ObjectField(required=False, help_text="What the processor needs to know; a secret that comes masked stays.")
    is_automatic = serializers.BooleanField(required=False, help_text="Items are worked off as they come.")
    max_in_progress = whole("max_in_progress")
    timeout_seconds = whole("timeout_seconds")
    max_attempts = whole("max_attempts", help_text="The first one included.")
    retry_strategy = serializers.ChoiceField(choices=Queue.Strategy.choices, required=False)
    retry_base_seconds = whole("retry_base_seconds")
    retry_max_delay_seconds = whole("retry_max_delay_seconds")
    max_length = whole("max_length", help_text="Items waiting at most; beyond it new ones hear 429.")
    delayed_depth = whole("delayed_depth", help_text="More waiting items than this: `processing.delayed`.")
    delayed_age_seconds = whole("delayed_age_seconds", help_text="An item that waits longer than this: `processing.delayed`.")


class FiguresOut(serializers.Serializer[Any]):
    """How a queue stands."""

    depth = serializers.IntegerField(help_text="Items waiting.")
    processing = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="The error queue: items whose attempts are used up.")
    oldest_age_seconds = serializers.FloatField(help_text="How long the oldest waiting item has waited.")
    throughput_per_minute = serializers.FloatField(help_text="Items done, over the last five minutes.")
    seconds_per_item = serializers.FloatField(allow_null=True)
    estimated_delay_seconds = serializers.FloatField(help_text="Until the last of the line is done, at that pace.")
    is_delayed = serializers.BooleanField()


class QueueOut(ModelSerializer):
    """A queue, with how it stands. Secret parameters are masked."""

    id = serializers.CharField(source="uid", read_only=True)
    retry_strategy = serializers.ChoiceField(choices=Queue.Strategy.choices, read_only=True)
    parameters = serializers.SerializerMethodField()
    figures = serializers.SerializerMethodField()

    class Meta:
        model = Queue
        fields = ["id", *SETTINGS, "is_paused", "pause_reason", "created_at", "figures"]

    @extend_schema_field(ObjectField)
    def get_parameters(self, queue: Queue) -> dict[str, Any]:
        """Of the processor."""
        return queues.shown_parameters(queue)

    @extend_schema_field(FiguresOut)
    def get_figures(self, queue: Queue) -> Any:
        """All of a list's are read at once."""
        if not hasattr(self, "_figures"):
            rows = self.parent.instance if isinstance(self.parent, serializers.ListSerializer) else [queue]
            self._figures = work.figures_of(list(rows or [queue]))
        return FiguresOut(self._figures[queue.pk]).data


class ItemIn(Body):
    """Something to be done."""

    payload = ObjectField(help_text="What the processor is told.")
    key = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="Sent again under it, it is the same item.")
    priority = PriorityField(required=False)


class ItemsIn(Body):
    """Several at once: all or none."""

    items = Items(child=ItemIn(), min_length=1, max_length=1000)


class ItemOut(ModelSerializer):
    """One item."""

    id = serializers.CharField(source="uid", read_only=True)
    queue = serializers.CharField(source="queue.slug", read_only=True)
    status = serializers.ChoiceField(choices=WorkItem.Status.choices, read_only=True)
    priority = PriorityField(read_only=True)

    class Meta:
        model = WorkItem
        fields = [
            "id",
            "queue",
            "key",
            "priority",
            "status",
            "queued_at",
            "next_attempt_at",
            "attempts",
            "started_at",
            "ended_at",
            "run_seconds",
            "error_code",
            "error_message",
            "batch",
            "correlation_id",
            "cause_uid",
            "added_by",
        ]


class ItemDetail(ItemOut):
    """An item with what it asks for and what came of it."""

    payload = ObjectField(read_only=True)
    result = serializers.JSONField(read_only=True)

    class Meta(ItemOut.Meta):
        fields = [*ItemOut.Meta.fields, "payload", "result", "holder", "deaths"]


class ItemCountOut(serializers.Serializer[Any]):
    """How many."""

    count = serializers.IntegerField()


class PauseIn(Body):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)
