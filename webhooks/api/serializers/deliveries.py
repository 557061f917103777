"""Shapes of deliveries, attempts, replays and statistics."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.doors.api import ModelSerializer
from config.doors.bodies import Body, Items
from webhooks.enums import DeliveryStatus, ErrorCode, ReplayStatus
from webhooks.models import Attempt, Delivery, Replay


class AttemptOut(ModelSerializer):
    """One HTTP request."""

    id = serializers.CharField(source="uid", read_only=True)
    error_code = serializers.ChoiceField(choices=ErrorCode.choices, allow_blank=True, read_only=True)
    request_headers = serializers.DictField(child=serializers.CharField(), read_only=True)
    response_headers = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Attempt
        fields = [
            "id",
            "number",
            "started_at",
            "duration_ms",
            "dns_ms",
            "connect_ms",
            "tls_ms",
            "first_byte_ms",
            "address",
            "status_code",
            "error_code",
            "error",
            "request_headers",
            "response_headers",
            "response_body",
        ]


class DeliveryOut(ModelSerializer):
    """One event for one endpoint."""

    id = serializers.CharField(source="uid", read_only=True)
    event_id = serializers.CharField(source="event.uid", read_only=True)
    event_type = serializers.CharField(source="event.type", read_only=True)
    endpoint_id = serializers.CharField(source="endpoint.uid", read_only=True)
    batch_id = serializers.CharField(source="batch.uid", read_only=True, default=None, allow_null=True)
    status = serializers.ChoiceField(choices=DeliveryStatus.choices, read_only=True)
    last_error_code = serializers.ChoiceField(choices=ErrorCode.choices, allow_blank=True, read_only=True)

    class Meta:
        model = Delivery
        fields = [
            "id",
            "event_id",
            "event_type",
            "endpoint_id",
            "batch_id",
            "status",
            "attempt_count",
            "next_attempt_at",
            "last_status_code",
            "last_error_code",
            "created_at",
            "finished_at",
        ]


class DeliveryDetail(DeliveryOut):
    """A delivery with every attempt, those of its batch included."""

    attempts = serializers.SerializerMethodField()

    class Meta(DeliveryOut.Meta):
        fields = [*DeliveryOut.Meta.fields, "attempts"]

    @extend_schema_field(AttemptOut(many=True))
    def get_attempts(self, delivery: Delivery) -> Any:
        """Oldest first."""
        rows = list(delivery.attempts.all()) + (list(delivery.batch.attempts.all()) if delivery.batch else [])
        return AttemptOut(sorted(rows, key=_started), many=True).data


def _started(attempt: Attempt) -> datetime:
    return attempt.started_at


class RequeuedOut(serializers.Serializer[Any]):
    """How many deliveries will be sent again."""

    requeued = serializers.IntegerField()


class RetryFailedIn(Body):
    """Which dead letters; all when empty."""

    endpoint_id = serializers.CharField(required=False, max_length=64)
    since = serializers.DateTimeField(required=False)


class ReplayIn(Body):
    """Which past events to send to the endpoint again."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField(required=False)
    events = Items(child=serializers.CharField(max_length=128), required=False, max_length=200)
    only_failed = serializers.BooleanField(required=False, default=False)
    per_minute = serializers.IntegerField(required=False, min_value=1, max_value=60000)


class ReplayOut(ModelSerializer):
    """A replay and how far it is."""

    id = serializers.CharField(source="uid", read_only=True)
    endpoint_id = serializers.CharField(source="endpoint.uid", read_only=True)
    status = serializers.ChoiceField(choices=ReplayStatus.choices, read_only=True)
    events = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Replay
        fields = [
            "id",
            "endpoint_id",
            "since",
            "until",
            "events",
            "only_failed",
            "per_minute",
            "status",
            "total",
            "done",
            "created_at",
            "finished_at",
        ]


class CountOut(serializers.Serializer[Any]):
    """How many events it would be."""

    count = serializers.IntegerField()


class StatsOut(serializers.Serializer[Any]):
    """Over all deliveries and attempts that are kept."""

    active_webhooks = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="Delivered of all that ended, 0 to 1.")
    pending_deliveries = serializers.IntegerField()
    dead_deliveries = serializers.IntegerField()
    average_response_time = serializers.FloatField(help_text="Seconds.")
