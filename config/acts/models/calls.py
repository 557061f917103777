"""Deeds that were asked for, what became of them, and what waits for a person's yes."""

from django.db import models

from config.acts.enums import Priority
from config.kernel.flow import clock
from config.kernel.models.base import EncryptedJSONField, Leasable, Row, UidField


class Invocation(Leasable, Row):
    """One call of one action, from the asking to its end. A retry is another attempt of the same row."""

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        AWAITING_APPROVAL = "awaiting_approval", "awaiting approval"
        RUNNING = "running", "running"
        WAITING = "waiting", "waiting"
        COMPLETED = "completed", "completed"
        FAILED = "failed", "failed"
        TIMEOUT = "timeout", "timeout"
        REFUSED = "refused", "refused"
        CANCELLED = "cancelled", "cancelled"
        UNDONE = "undone", "undone"

    Priority = Priority

    OPEN = (Status.PENDING, Status.AWAITING_APPROVAL, Status.RUNNING, Status.WAITING)
    steps = {
        Status.PENDING: frozenset({Status.RUNNING, Status.AWAITING_APPROVAL, Status.REFUSED, Status.CANCELLED}),
        Status.AWAITING_APPROVAL: frozenset({Status.PENDING, Status.REFUSED, Status.CANCELLED}),
        Status.RUNNING: frozenset(
            {Status.PENDING, Status.WAITING, Status.COMPLETED, Status.FAILED, Status.TIMEOUT, Status.REFUSED, Status.CANCELLED}
        ),
        Status.WAITING: frozenset({Status.RUNNING, Status.TIMEOUT, Status.CANCELLED}),
        Status.COMPLETED: frozenset({Status.UNDONE}),
    }

    uid = UidField("inv_")
    action = models.CharField(max_length=128)
    params = EncryptedJSONField(null=True, blank=True)
    summary = models.CharField(max_length=300, blank=True, default="", help_text="What it does, without secrets.")
    owner = models.CharField(max_length=150, help_text="Whose rights it runs with: a user name, or `system`.")
    caller = models.CharField(
        max_length=160, blank=True, default="", help_text="Who asked, as `execution:exe_…`, `run:…`, `api` or `command`."
    )
    follower = models.CharField(max_length=80, blank=True, default="", help_text="The duty that is nudged when it ends.")
    key = models.CharField(
        max_length=200, null=True, blank=True, unique=True, help_text="Asked for again under this key, it is the same call."
    )
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    target = models.CharField(max_length=160, blank=True, default="", help_text="What nobody else may touch meanwhile.")
    attempts = models.PositiveIntegerField(default=0)
    retry = models.JSONField(null=True, blank=True, help_text="Retry policy; without one ACTION_RETRIES holds.")
    due_at = models.DateTimeField(null=True, blank=True, default=clock.now, help_text="When it may start, or go on.")
    timeout_seconds = models.FloatField(help_text="For one attempt; waits are not counted.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_asked_at = models.DateTimeField(null=True, blank=True, help_text="Somebody wants it stopped while it runs.")
    run_seconds = models.FloatField(default=0, help_text="Time spent running, all attempts, without waits.")
    holder = models.CharField(max_length=160, blank=True, default="", help_text="The process that runs it, as `host:pid`.")
    state = models.JSONField(null=True, blank=True, help_text="What the action gave to be told again when it goes on.")
    output = models.JSONField(null=True, blank=True)
    log = models.TextField(blank=True, default="", help_text="The end of what it printed.")
    error_code = models.CharField(max_length=40, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    undoes = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by")
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    cause_uid = models.CharField(max_length=64, blank=True, default="", help_text="The event that brought it about.")
    hops = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["-priority", "id"], name="invocation_due", condition=models.Q(status__in=["pending", "waiting"])),
            models.Index(fields=["lease_until"], name="invocation_running", condition=models.Q(status="running")),
            models.Index(fields=["caller"], name="invocation_by_caller"),
            models.Index(fields=["created_at"], name="invocation_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.uid}"

    @property
    def run_milliseconds(self) -> float:
        """For pages."""
        return self.run_seconds * 1000


class Slot(models.Model):
    """Room for one running thing of a kind over all processes; held until `until`, so a killed holder leaks none."""

    pool = models.CharField(max_length=40)
    number = models.PositiveIntegerField()
    holder = models.CharField(max_length=160, blank=True, default="")
    token = models.CharField(max_length=32, blank=True, default="")
    held_for = models.CharField(max_length=160, blank=True, default="", help_text="What runs in it, as `invocation:inv_…`.")
    since = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pool", "number"], name="slot_once")]

    def __str__(self) -> str:
        return f"{self.pool} {self.number}"


class Approval(Row):
    """A question that a person answers before something goes on. No answer in time is a no."""

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        APPROVED = "approved", "approved"
        REJECTED = "rejected", "rejected"
        EXPIRED = "expired", "expired"

    steps = {Status.PENDING: frozenset({Status.APPROVED, Status.REJECTED, Status.EXPIRED})}

    uid = UidField("apr_")
    subject = models.CharField(max_length=160, help_text="What waits, as `invocation:inv_…`.")
    question = models.CharField(max_length=300)
    detail = models.JSONField(default=dict, blank=True, help_text="What a person should know before answering; never a secret.")
    asked_by = models.CharField(max_length=150, default="system")
    scope = models.CharField(max_length=80, help_text="The permission that answering needs.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject"], name="approval_by_subject"),
            models.Index(fields=["expires_at"], name="approval_open", condition=models.Q(status="pending")),
        ]

    def __str__(self) -> str:
        return self.question
