"""Shapes of services."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.doors.api import ModelSerializer
from config.doors.bodies import Body, ObjectField
from healing.enums import Health, HealthKind, ServiceState
from healing.models import Service
from healing.services import services

MOST = services.MOST_INSTANCES


class ServiceIn(Body):
    """Something to look after."""

    name = serializers.CharField(max_length=64)
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    dependencies = serializers.ListField(
        child=serializers.CharField(max_length=64), required=False, max_length=100, help_text="Names or ids of what it stands on."
    )
    controller = serializers.CharField(max_length=128, help_text="Key of the controller, such as healing.supervisor.")
    params = ObjectField(required=False, help_text="Of the controller; which there are, its form says.")
    may_be_restarted = serializers.BooleanField(required=False)
    may_be_scaled = serializers.BooleanField(required=False)
    min_instances = serializers.IntegerField(required=False, min_value=0, max_value=MOST)
    max_instances = serializers.IntegerField(required=False, min_value=0, max_value=MOST)
    health_kind = serializers.ChoiceField(choices=HealthKind.choices, required=False)
    health_target = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    health_expected_status = serializers.IntegerField(required=False, min_value=100, max_value=599)
    health_timeout_seconds = serializers.FloatField(required=False, min_value=0.1, max_value=60)


class StandingOut(ModelSerializer):
    """How a service stands."""

    id = serializers.CharField(source="uid", read_only=True)
    status = serializers.ChoiceField(choices=ServiceState.choices, read_only=True)
    health = serializers.ChoiceField(choices=Health.choices, read_only=True)
    pids = serializers.ListField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Service
        fields = [
            "id",
            "name",
            "status",
            "status_detail",
            "status_since",
            "health",
            "health_detail",
            "instances",
            "pids",
            "checked_at",
        ]


class ServiceOut(StandingOut):
    """Something that is looked after; secrets among its parameters are masked."""

    health_kind = serializers.ChoiceField(choices=HealthKind.choices, read_only=True)
    params = serializers.SerializerMethodField()
    dependencies = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)  # type: ignore[var-annotated]

    class Meta(StandingOut.Meta):
        fields = [
            *StandingOut.Meta.fields,
            "description",
            "dependencies",
            "controller",
            "params",
            "may_be_restarted",
            "may_be_scaled",
            "min_instances",
            "max_instances",
            "health_kind",
            "health_target",
            "health_expected_status",
            "health_timeout_seconds",
            "created_at",
        ]

    @extend_schema_field(ObjectField)
    def get_params(self, service: Service) -> dict[str, Any]:
        """Masked where its form says so."""
        return services.shown_params(service)


class ScaleIn(Body):
    """To how many: a number, or a factor of the present one, rounded up. The bounds of the service hold."""

    instances = serializers.IntegerField(required=False, min_value=0, max_value=MOST)
    scale_factor = serializers.FloatField(required=False, min_value=0.01, max_value=100)
