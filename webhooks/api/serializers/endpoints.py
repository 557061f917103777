"""Shapes of endpoints."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.doors.api import ModelSerializer
from config.doors.bodies import Body, Items, ObjectField
from webhooks.api.serializers.fields import Named, UpperOrLower
from webhooks.engine import envelope
from webhooks.enums import DeliveryStatus, EndpointStatus, Security, Strategy
from webhooks.models import Endpoint
from webhooks.services import endpoints, stats


class EndpointIn(Body):
    """What may be said of an endpoint. What is left out keeps its default."""

    id = serializers.CharField(
        required=False, max_length=64, help_text="Chosen by you: letters, digits, `_` and `-`; made by us when left out."
    )
    url = serializers.CharField(max_length=2000)
    events = Items(child=serializers.CharField(max_length=128), allow_empty=False, max_length=200)
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    secret = serializers.CharField(required=False, allow_blank=True, max_length=300, trim_whitespace=False)
    security_type = UpperOrLower(choices=Security.choices, required=False)
    asymmetric = serializers.BooleanField(
        required=False, help_text="Sign with ed25519 too; a receiver then verifies with `public_key` and needs no secret."
    )
    timeout_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    retry_strategy = UpperOrLower(choices=Strategy.choices, required=False)
    retry_attempts = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=99, help_text="Retries after the first attempt."
    )
    retry_delay_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86400)
    retry_max_delay_seconds = serializers.IntegerField(required=False, min_value=1, max_value=604800)
    retry_jitter = serializers.FloatField(required=False, min_value=0, max_value=1)
    retry_schedule = Items(child=serializers.IntegerField(min_value=0, max_value=604800), required=False, max_length=100)
    filter_conditions = ObjectField(required=False)
    headers = Named(child=serializers.CharField(max_length=2000), required=False, max_length=envelope.MOST_HEADERS)
    rate_per_minute = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1000000)
    max_in_flight = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1000)
    ordering_key = serializers.CharField(required=False, allow_blank=True, max_length=200)
    batch_enabled = serializers.BooleanField(required=False)
    batch_size = serializers.IntegerField(required=False, min_value=1, max_value=1000)
    batch_max_wait_seconds = serializers.IntegerField(required=False, min_value=0, max_value=3600)
    auto_disable_days = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=365)

    RENAMED = {"security_type": "security", "retry_delay_seconds": "retry_base_seconds", "id": "uid"}

    def deed_fields(self) -> dict[str, Any]:
        """What was sent, in the words of `services.endpoints`."""
        fields = {self.RENAMED.get(name, name): value for name, value in self.validated_data.items()}
        if "retry_attempts" in fields:
            retries = fields.pop("retry_attempts")
            fields["max_attempts"] = None if retries is None else retries + 1
        return fields


class EndpointOut(ModelSerializer):
    """An endpoint. Its secret is never among it."""

    id = serializers.CharField(source="uid", read_only=True)
    active = serializers.BooleanField(source="is_active", read_only=True)
    security_type = serializers.ChoiceField(source="security", choices=Security.choices, read_only=True)
    status = serializers.ChoiceField(choices=EndpointStatus.choices, read_only=True)
    timeout_seconds = serializers.SerializerMethodField()
    retry_attempts = serializers.SerializerMethodField(help_text="Retries after the first attempt.")
    retry_delay_seconds = serializers.SerializerMethodField()
    retry_schedule = serializers.ListField(child=serializers.IntegerField(), read_only=True)
    events = serializers.ListField(child=serializers.CharField(), read_only=True)
    filter_conditions = ObjectField(read_only=True)
    header_names = serializers.SerializerMethodField(help_text="Names of the extra headers; their values are not shown.")
    circuit_state = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = [
            "id",
            "url",
            "description",
            "events",
            "filter_conditions",
            "active",
            "status",
            "status_reason",
            "security_type",
            "secret_changed_at",
            "timeout_seconds",
            "retry_strategy",
            "retry_attempts",
            "retry_delay_seconds",
            "retry_max_delay_seconds",
            "retry_jitter",
            "retry_schedule",
            "header_names",
            "rate_per_minute",
            "max_in_flight",
            "ordering_key",
            "batch_enabled",
            "batch_size",
            "batch_max_wait_seconds",
            "auto_disable_days",
            "circuit_state",
            "failing_since",
            "last_delivered_at",
            "last_failed_at",
            "created_at",
        ]

    def get_timeout_seconds(self, endpoint: Endpoint) -> int:
        """Its own, or the option's."""
        return endpoints.timeout_seconds(endpoint)

    def get_retry_attempts(self, endpoint: Endpoint) -> int:
        """Attempts in all less the first."""
        return endpoints.retry_policy(endpoint).max_attempts - 1

    def get_retry_delay_seconds(self, endpoint: Endpoint) -> float:
        """Its own, or the option's."""
        return endpoints.retry_policy(endpoint).base_seconds

    def get_header_names(self, endpoint: Endpoint) -> list[str]:
        """Values may be secrets."""
        return sorted(endpoint.headers or {})

    @extend_schema_field(serializers.ChoiceField(choices=["closed", "open", "half_open"]))
    def get_circuit_state(self, endpoint: Endpoint) -> str:
        """The breaker of this endpoint."""
        return endpoints.circuit_state(endpoint)


class LastDelivery(serializers.Serializer[Any]):
    """The latest delivery of an endpoint."""

    id = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    created_at = serializers.DateTimeField()


class Counters(serializers.Serializer[Any]):
    """Deliveries of an endpoint that are kept, by what became of them."""

    delivered = serializers.IntegerField()
    dead = serializers.IntegerField()
    pending = serializers.IntegerField()
    success_rate = serializers.FloatField()


class EndpointDetail(EndpointOut):
    """An endpoint with how it is doing."""

    last_delivery = serializers.SerializerMethodField()
    counters = serializers.SerializerMethodField()
    public_key = serializers.SerializerMethodField(help_text="ed25519 public key (`whpk_…`), where the endpoint asked for such signatures.")

    class Meta(EndpointOut.Meta):
        fields = [*EndpointOut.Meta.fields, "last_delivery", "counters", "public_key"]

    @extend_schema_field(LastDelivery(allow_null=True))
    def get_last_delivery(self, endpoint: Endpoint) -> Any:
        """The latest row, or null."""
        latest = endpoint.deliveries.order_by("-id").first()
        return None if latest is None else {"id": latest.uid, "status": latest.status, "created_at": latest.created_at}

    @extend_schema_field(Counters)
    def get_counters(self, endpoint: Endpoint) -> Any:
        """Counted now."""
        return stats.of_endpoint(endpoint)

    def get_public_key(self, endpoint: Endpoint) -> str:
        """Empty where there is none."""
        return endpoints.public_key(endpoint)


class EndpointMade(EndpointDetail):
    """A new endpoint, with its secret: shown this once."""

    secret = serializers.SerializerMethodField()

    class Meta(EndpointDetail.Meta):
        fields = [*EndpointDetail.Meta.fields, "secret"]

    def get_secret(self, endpoint: Endpoint) -> str:
        """Given by the deed that made it."""
        return str(self.context["secret"])


class SecretIn(Body):
    """A secret of your own, or none to have one made."""

    secret = serializers.CharField(required=False, allow_blank=True, max_length=300, trim_whitespace=False)
    overlap_hours = serializers.IntegerField(required=False, min_value=0, max_value=720)


class SecretOut(serializers.Serializer[Any]):
    """The new secret, shown this once."""

    id = serializers.CharField()
    secret = serializers.CharField()


class ReasonIn(Body):
    """Why."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class EnableIn(Body):
    """Whether what was skipped meanwhile is sent now."""

    catch_up = serializers.BooleanField(required=False, default=True)


class TestIn(Body):
    """A test event: `system.status` with `{"test": true}` unless you say otherwise."""

    event = serializers.CharField(required=False, max_length=128)
    data = ObjectField(required=False)  # type: ignore[assignment]


class TestOut(serializers.Serializer[Any]):
    """The deliveries that the test event caused."""

    event_id = serializers.CharField()
    delivery_ids = serializers.ListField(child=serializers.CharField())


class ExplainOut(serializers.Serializer[Any]):
    """Whether an event would reach an endpoint, and why."""

    would_deliver = serializers.BooleanField()
    reason = serializers.CharField()
    detail = serializers.CharField()
