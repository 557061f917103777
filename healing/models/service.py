"""What is looked after: how it is steered, what it stands on, what may be done to it, and how it stood when last looked at."""

from django.db import models

from config.kernel.flow import clock
from config.kernel.models.base import EncryptedJSONField, Living, Row, UidField
from healing.enums import Health, HealthKind, ServiceState


class Service(Row):
    """One thing that runs and can be looked at. Nothing is done to it unless a person has allowed that kind of deed."""

    is_configuration = True  # part of a backup of the configuration, without its secrets

    uid = UidField("svc_")
    name = models.CharField(max_length=64, help_text="What rules and actions call it; unique among the living.")
    description = models.CharField(max_length=300, blank=True, default="")
    dependencies = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="dependents", help_text="What it stands on.")

    # how it is steered, and what of that is allowed
    controller = models.CharField(max_length=128, help_text="Key of the controller, such as healing.supervisor.")
    params = EncryptedJSONField(null=True, blank=True, help_text="What the controller must know, checked by its form.")
    may_be_restarted = models.BooleanField(default=False, help_text="Whether the action healing.restart_service may restart it.")
    may_be_scaled = models.BooleanField(default=False, help_text="Whether the action healing.scale_service may change its number.")
    min_instances = models.PositiveIntegerField(default=1)
    max_instances = models.PositiveIntegerField(default=1)
    scaling = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="The last change of its number; the same call begun again finds it here.",
    )

    # how its health is checked
    health_kind = models.CharField(max_length=8, choices=HealthKind.choices, default=HealthKind.NONE)
    health_target = models.CharField(max_length=2000, blank=True, default="", help_text="A URL for HTTP, host:port for TCP.")
    health_expected_status = models.PositiveSmallIntegerField(default=200)
    health_timeout_seconds = models.FloatField(default=5)

    # how it stood when last looked at
    status = models.CharField(max_length=16, choices=ServiceState.choices, default=ServiceState.UNKNOWN, editable=False)
    status_detail = models.CharField(max_length=500, blank=True, default="", editable=False)
    status_since = models.DateTimeField(null=True, blank=True, editable=False)
    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN, editable=False)
    health_detail = models.CharField(max_length=500, blank=True, default="", editable=False)
    instances = models.PositiveIntegerField(null=True, blank=True, editable=False, help_text="Empty where the controller cannot count.")
    pids = models.JSONField(default=list, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_look_at = models.DateTimeField(null=True, blank=True, default=clock.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager()
    living = Living()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["name"], condition=models.Q(deleted_at__isnull=True), name="service_name_once")]
        indexes = [models.Index(fields=["next_look_at"], name="service_due", condition=models.Q(deleted_at__isnull=True))]

    def __str__(self) -> str:
        return self.name
