"""Events: facts, stored once, heard by whoever subscribed."""

from functools import cached_property
from typing import Any

import orjson
from django.db import models

from config.kernel.flow import clock
from config.kernel.models.base import Row, UidField


class EventType(Row):
    """A name that events may have, with the JSON Schema and an example of their data."""

    is_configuration = True  # part of a backup of the configuration

    class Origin(models.TextChoices):
        CATALOGUE = "catalogue", "catalogue"
        PROGRAM = "program", "program"
        INBOUND = "inbound", "inbound"

    name = models.CharField(max_length=128, unique=True)
    description = models.TextField(blank=True, default="")
    schema = models.JSONField(null=True, blank=True, help_text="JSON Schema (2020-12) of the event's data.")
    example = models.JSONField(null=True, blank=True, help_text="One example of the event's data; it is what a test event sends.")
    origin = models.CharField(max_length=16, choices=Origin.choices, default=Origin.PROGRAM)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Event(Row):
    """Something that happened. `body` is the envelope as it is signed, sent and stored: the same bytes for everyone."""

    uid = UidField("evt_")
    type = models.CharField(max_length=128)
    body = models.BinaryField()
    size = models.PositiveIntegerField(default=0, help_text="Bytes of the body.")
    source = models.CharField(max_length=80, help_text="Who said so: `system`, `program:<user>` or `inbound:<source>`.")
    subject = models.CharField(max_length=128, blank=True, default="", help_text="What it happened to, as `kind:id`.")
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    cause_uid = models.CharField(max_length=64, blank=True, default="", help_text="The event that brought this one about.")
    hops = models.PositiveSmallIntegerField(default=0)
    requested_task = models.JSONField(null=True, blank=True, help_text="`{type, id}` of the task that an inbound event asks for.")
    occurred_at = models.DateTimeField(default=clock.now)
    routed_at = models.DateTimeField(null=True, blank=True)
    route_note = models.CharField(max_length=128, blank=True, default="", help_text="Why the event was stored but not routed.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], name="event_unrouted", condition=models.Q(routed_at__isnull=True)),
            models.Index(fields=["type", "-id"], name="event_by_type"),
            models.Index(fields=["created_at"], name="event_by_time"),
            models.Index(fields=["cause_uid"], name="event_by_cause", condition=~models.Q(cause_uid="")),
            models.Index(fields=["correlation_id"], name="event_by_correlation", condition=~models.Q(correlation_id="")),
            models.Index(fields=["subject"], name="event_by_subject", condition=~models.Q(subject="")),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.uid}"

    @cached_property
    def data(self) -> Any:
        """The `data` of the envelope."""
        return orjson.loads(bytes(self.body))["data"]


class RouteFailure(Row):
    """A subscriber could not take an event; it gets another turn at `next_attempt_at`, or a person's when that is empty."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="route_failures")
    subscriber = models.CharField(max_length=80)
    attempts = models.PositiveIntegerField(default=1)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "subscriber"], name="route_failure_once")]
        indexes = [models.Index(fields=["next_attempt_at"], name="route_failure_due", condition=models.Q(next_attempt_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.subscriber} could not take {self.event_id}"
