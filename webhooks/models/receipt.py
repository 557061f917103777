"""One row per inbound request: what came, what we made of it, and why."""

from django.db import models

from config.kernel.models import Event
from config.kernel.models.base import Row, UidField
from webhooks.enums import ReceiptStatus
from webhooks.models.source import Source


class Receipt(Row):
    """An inbound request. `accepted` and `ignored` ones hold their (source, hook, delivery id) against repeats."""

    uid = UidField("rcp_")
    # No index of its own: `receipt_by_source` begins with it.
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="receipts", db_index=False)
    hook_id = models.CharField(max_length=64, blank=True, default="")
    delivery_id = models.CharField(max_length=200)
    event_type = models.CharField(max_length=128, blank=True, default="", help_text="The sender's own name of the event.")
    status = models.CharField(max_length=16, choices=ReceiptStatus.choices)
    reason = models.CharField(max_length=32, blank=True, default="", help_text="A fixed word for why it was ignored or refused.")
    explanation = models.TextField(blank=True, default="", help_text="What to tell the operator; the sender never hears it.")
    warning = models.TextField(blank=True, default="", help_text="What its schema had to say.")
    event = models.ForeignKey(Event, null=True, blank=True, on_delete=models.PROTECT, related_name="receipts")
    headers = models.JSONField(default=dict, blank=True)
    body = models.BinaryField(null=True, blank=True)
    body_size = models.PositiveIntegerField(default=0)
    content_type = models.CharField(max_length=100, blank=True, default="")
    remote_address = models.CharField(max_length=64, blank=True, default="")
    correlation_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "hook_id", "delivery_id"], condition=models.Q(status__in=["accepted", "ignored"]), name="receipt_once"
            ),
        ]
        indexes = [
            models.Index(fields=["source", "-id"], name="receipt_by_source"),
            models.Index(fields=["created_at"], name="receipt_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.delivery_id}"
