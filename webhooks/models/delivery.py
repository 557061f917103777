"""What goes out: one event for one endpoint, each request made for it, and batches of them."""

from typing import ClassVar

from django.db import models

from config.kernel.flow import clock
from config.kernel.flow.transitions import Steps
from config.kernel.models import Event
from config.kernel.models.base import Leasable, Row, UidField
from webhooks.enums import DELIVERY_STEPS, REPLAY_STEPS, DeliveryStatus, ErrorCode, ReplayStatus, SkipReason
from webhooks.models.endpoint import Endpoint


class Shipment(Leasable, Row):
    """What a delivery and a batch have in common: something that is sent until it arrives or is given up."""

    steps: ClassVar[Steps] = DELIVERY_STEPS

    status = models.CharField(max_length=16, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempt_count = models.PositiveIntegerField(default=0)
    first_attempt_number = models.PositiveIntegerField(
        default=0, help_text="Attempts before the last redelivery; the policy counts from here."
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=clock.now)
    last_status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error_code = models.CharField(max_length=16, blank=True, default="", choices=ErrorCode.choices)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Batch(Shipment):
    """Several deliveries to one endpoint in one request; members, order and bytes are frozen when it is made."""

    uid = UidField("bat_")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="batches")
    body = models.BinaryField()
    size = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "batches"
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"], name="batch_due", condition=models.Q(status__in=["pending", "sending", "retrying"])
            )
        ]

    def __str__(self) -> str:
        return self.uid


class Delivery(Shipment):
    """One event for one endpoint."""

    uid = UidField("dlv_")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries")
    batch_position = models.PositiveIntegerField(null=True, blank=True)
    ordering_value = models.CharField(
        max_length=200, blank=True, default="", help_text="Deliveries to one endpoint with the same value go one after another."
    )
    correlation_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once")]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at", "id"],
                name="delivery_due",
                condition=models.Q(status__in=["pending", "sending", "retrying"]),
            ),
            models.Index(
                fields=["endpoint", "ordering_value", "event"],
                name="delivery_order",
                condition=models.Q(status__in=["pending", "sending", "retrying"]) & ~models.Q(ordering_value=""),
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
            models.Index(fields=["status", "-id"], name="delivery_by_status"),
            models.Index(fields=["finished_at"], name="delivery_by_end", condition=models.Q(finished_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.uid


class Attempt(Row):
    """One HTTP request of a delivery or of a batch."""

    uid = UidField("att_")
    delivery = models.ForeignKey(Delivery, null=True, blank=True, on_delete=models.CASCADE, related_name="attempts")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.FloatField(default=0)
    dns_ms = models.FloatField(null=True, blank=True)
    connect_ms = models.FloatField(null=True, blank=True)
    tls_ms = models.FloatField(null=True, blank=True)
    first_byte_ms = models.FloatField(null=True, blank=True)
    address = models.CharField(max_length=64, blank=True, default="", help_text="The address really connected to.")
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    error_code = models.CharField(max_length=16, blank=True, default="", choices=ErrorCode.choices)
    error = models.CharField(max_length=500, blank=True, default="")
    request_headers = models.JSONField(default=dict, blank=True)
    response_headers = models.JSONField(default=dict, blank=True)
    response_body = models.TextField(blank=True, default="", help_text="The first 2 KiB of the reply.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["created_at"], name="attempt_by_time")]

    def __str__(self) -> str:
        return self.uid

    @property
    def is_success(self) -> bool:
        """A 2xx reply within the time-out."""
        return self.error_code == ErrorCode.NONE


class Skip(Row):
    """Why a subscribed endpoint got no delivery of an event."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="skips")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="skips")
    reason = models.CharField(max_length=16, choices=SkipReason.choices)
    detail = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="skip_once")]
        indexes = [
            models.Index(fields=["endpoint", "reason", "-id"], name="skip_by_endpoint"),
            models.Index(fields=["created_at"], name="skip_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} not to {self.endpoint_id}: {self.detail}"


class Replay(Leasable, Row):
    """Past events sent again to one endpoint, slowly enough, with progress; goes on after a restart."""

    steps: ClassVar[Steps] = REPLAY_STEPS

    uid = UidField("rep_")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="replays")
    since = models.DateTimeField()
    until = models.DateTimeField()
    events = models.JSONField(default=list, blank=True, help_text="Event names or patterns; empty: what the endpoint subscribes to.")
    only_failed = models.BooleanField(default=False, help_text="Only events this endpoint has not got.")
    per_minute = models.PositiveIntegerField(default=600)
    status = models.CharField(max_length=16, choices=ReplayStatus.choices, default=ReplayStatus.RUNNING)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    cursor = models.BigIntegerField(default=0, help_text="The last event looked at.")
    next_step_at = models.DateTimeField(default=clock.now)
    requested_by = models.CharField(max_length=150, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.uid
