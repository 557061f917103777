"""Work that waits: queues, each with what works it off, and their items."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from automation.enums import ITEM_STEPS, ItemStatus, RetryStrategy
from config.acts.enums import Priority
from config.kernel.flow import clock
from config.kernel.flow.transitions import Steps
from config.kernel.models.base import EncryptedJSONField, Leasable, Living, Row, UidField


class Queue(Row):
    """Items in line, how they are worked off, and how long the line may get."""

    Strategy = RetryStrategy

    is_configuration = True  # part of a backup of the configuration, without its secrets

    uid = UidField("que_")
    slug = models.SlugField(max_length=48, help_text="Small letters, digits and _, beginning with a letter: conditions use it as a name.")
    name = models.CharField(max_length=120, blank=True, default="", help_text="For people.")
    processor = models.CharField(
        max_length=128, blank=True, default="", help_text="What works its items off. Empty: items wait for whoever takes them."
    )
    parameters = EncryptedJSONField(null=True, blank=True)

    # how it is worked off
    is_automatic = models.BooleanField(default=True, help_text="Items are worked off as they come. Off: only when a rule or a person asks.")
    is_paused = models.BooleanField(default=False, editable=False)
    pause_reason = models.CharField(max_length=300, blank=True, default="", editable=False)
    max_in_progress = models.PositiveIntegerField(default=2, help_text="Items worked at once when it is worked off by itself.")
    timeout_seconds = models.PositiveIntegerField(default=300, help_text="The longest one attempt may take; then it is stopped.")

    # how hard we try
    max_attempts = models.PositiveIntegerField(default=3, help_text="Attempts in all, the first included; then the item has failed.")
    retry_strategy = models.CharField(max_length=16, choices=RetryStrategy.choices, default=RetryStrategy.EXPONENTIAL)
    retry_base_seconds = models.PositiveIntegerField(default=5)
    retry_max_delay_seconds = models.PositiveIntegerField(default=3600)

    # how long the line may get
    max_length = models.PositiveIntegerField(default=10_000, help_text="Items waiting at most; beyond it new ones are refused.")
    delayed_depth = models.PositiveIntegerField(null=True, blank=True, help_text="More waiting items than this: `processing.delayed`.")
    delayed_age_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="An item that waits longer than this: `processing.delayed`."
    )
    delayed_since = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = models.Manager()
    living = Living()

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["slug"], condition=Q(deleted_at__isnull=True), name="queue_slug_once")]

    def __str__(self) -> str:
        return self.slug

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or self.slug


class WorkItem(Leasable, Row):
    """One thing to be done, from its coming to its end. A retry is another attempt of the same row."""

    Status = ItemStatus
    Priority = Priority
    OPEN = (ItemStatus.WAITING, ItemStatus.PROCESSING)
    steps: ClassVar[Steps] = ITEM_STEPS

    uid = UidField("itm_")
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="items")
    payload = models.JSONField(default=dict, help_text="What the processor is told, a JSON object.")
    key = models.CharField(max_length=200, null=True, blank=True, help_text="Put in again under this key, it is the same item.")  # noqa: DJ001
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    status = models.CharField(max_length=16, choices=ItemStatus.choices, default=ItemStatus.WAITING)
    queued_at = models.DateTimeField(default=clock.now, help_text="When it came, or was put back by a person.")
    next_attempt_at = models.DateTimeField(null=True, blank=True, help_text="Not before this.")
    attempts = models.PositiveIntegerField(default=0)
    deaths = models.PositiveIntegerField(default=0, help_text="Times that whoever worked it vanished.")
    holder = models.CharField(max_length=160, blank=True, default="", help_text="Who works it, as `host:pid`.")
    batch = models.CharField(max_length=64, blank=True, default="", help_text="The batch that took it last.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    run_seconds = models.FloatField(default=0, help_text="How long its last attempt took.")
    result = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    added_by = models.CharField(max_length=150, blank=True, default="")
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    cause_uid = models.CharField(max_length=64, blank=True, default="", help_text="The event that brought it about.")
    hops = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["queue", "key"], name="item_key_once")]
        indexes = [
            models.Index(fields=["queue", "queued_at"], name="item_waiting", condition=Q(status="waiting")),
            models.Index(fields=["lease_until"], name="item_processing", condition=Q(status="processing")),
            models.Index(fields=["queue", "status", "ended_at"], name="item_ended"),
            models.Index(fields=["batch"], name="item_by_batch", condition=~Q(batch="")),
            models.Index(fields=["cause_uid"], name="item_by_cause", condition=~Q(cause_uid="")),
        ]

    def __str__(self) -> str:
        return self.uid

    @property
    def state(self) -> str:
        """As people see it: one that waits for its next attempt is `retrying`."""
        is_retrying = self.status == ItemStatus.WAITING and self.attempts > 0 and self.next_attempt_at is not None
        return "retrying" if is_retrying else self.status
