"""What is remembered of work: counts, states of components, messages to people, and who did what."""

from typing import Any

from django.conf import settings
from django.db import models

from config.kernel.flow import clock
from config.kernel.models.base import Leasable, Row, UidField


class Tally(models.Model):
    """One sample of a counter or histogram, summed over all processes."""

    name = models.CharField(max_length=96)
    labels = models.CharField(max_length=400, blank=True, default="", help_text="Sorted JSON object.")
    value = models.FloatField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name}{self.labels} {self.value}"


class Component(models.Model):
    """The last known state of a part of the whole; a change of it is an event `system.status`."""

    key = models.CharField(max_length=80, unique=True)
    status = models.CharField(max_length=16)
    detail = models.TextField(blank=True, default="")
    since = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"


class Notification(Leasable, Row):
    """One message to people on one channel, and what became of it."""

    class Channel(models.TextChoices):
        DASHBOARD = "dashboard", "dashboard"
        EMAIL = "email", "e-mail"
        WEBHOOK = "webhook", "webhook"
        SLACK = "slack", "Slack"
        APPRISE = "apprise", "apprise"

    class Urgency(models.TextChoices):
        LOW = "low", "low"
        NORMAL = "normal", "normal"
        HIGH = "high", "high"
        CRITICAL = "critical", "critical"

    class Status(models.TextChoices):
        PENDING = "pending", "pending"
        SENT = "sent", "sent"
        FAILED = "failed", "failed"
        NOT_CONFIGURED = "not_configured", "not configured"
        SUPPRESSED = "suppressed", "held back"

    uid = UidField("ntf_")
    channel = models.CharField(max_length=16, choices=Channel.choices)
    recipients = models.JSONField(default=list, blank=True)
    urgency = models.CharField(max_length=16, choices=Urgency.choices, default=Urgency.NORMAL)
    title = models.CharField(max_length=200)
    message = models.TextField(blank=True, default="")
    link = models.CharField(max_length=300, blank=True, default="", help_text="A page of ours where more is said.")
    subject = models.CharField(max_length=128, blank=True, default="")
    attachment = models.CharField(max_length=128, blank=True, default="", help_text="What goes with a mail, as `automation.report:rpt_…`.")
    count = models.PositiveIntegerField(default=1, help_text="How often it was said within NOTIFY_THROTTLE_SECONDS.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=clock.now)
    error = models.TextField(blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="notification_due", condition=models.Q(status="pending")),
            models.Index(fields=["created_at"], name="notification_by_time"),
        ]

    def __str__(self) -> str:
        return self.title


class AuditRecord(Row):
    """Who did what to what, and when. Written once, never changed."""

    class Kind(models.TextChoices):
        WORKFLOW_EXECUTION = "workflow_execution"
        ACTION_EXECUTION = "action_execution"
        CONFIGURATION_CHANGE = "configuration_change"
        ACCESS_ATTEMPT = "access_attempt"
        DATA_ACCESS = "data_access"
        SYSTEM_MODIFICATION = "system_modification"

    kind = models.CharField(max_length=32, choices=Kind.choices)
    action = models.CharField(max_length=80, help_text="A fixed word such as `endpoint.paused`.")
    actor = models.CharField(max_length=150, help_text="A user name, or `system`.")
    ip = models.CharField(max_length=64, blank=True, default="")
    subject = models.CharField(max_length=200, blank=True, default="", help_text="What it was done to, as `kind:id`.")
    detail = models.JSONField(default=dict, blank=True, help_text="Before and after, reasons; never a secret.")
    correlation_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["subject", "-id"], name="audit_by_subject"),
            models.Index(fields=["created_at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"

    def save(self, *args: Any, **options: Any) -> None:
        if self.pk is not None:
            raise TypeError("an audit record is never changed")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> Any:
        raise TypeError("an audit record is never deleted")


class Option(models.Model):
    """A live setting that a person changed; without a row the environment's value holds."""

    is_configuration = True  # part of a backup of the configuration

    name = models.CharField(max_length=80, unique=True)
    value = models.JSONField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    changed_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return self.name


class ApiToken(Row):
    """A key to the API: only its hash is kept, its scopes are a subset of its owner's permissions."""

    uid = UidField("tok_")
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the token.")
    hint = models.CharField(max_length=12, editable=False, help_text="The token's last characters, to tell it from others.")
    scopes = models.JSONField(null=True, blank=True, help_text="Permission strings; empty means all that the owner has.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.hint})"


class Permission(models.Model):
    """Holds no rows: its content type carries the permission strings such as `webhooks:manage`."""

    class Meta:
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return "permission"
