"""What was measured: all values of one tick together, what is kept of them later, and who was here."""

from django.conf import settings
from django.db import models


class Snapshot(models.Model):
    """Every value measured at one tick. What could not be measured is not in it."""

    at = models.DateTimeField(unique=True)
    values = models.JSONField(help_text="Name → number.")
    measured_at = models.DateTimeField(null=True, blank=True, help_text="When the counters were read: rates are over the time since.")
    counters = models.JSONField(default=dict, blank=True, help_text="What counters stood at, for the next tick; emptied soon after.")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


class Rollup(models.Model):
    """What one name did in one minute or hour, from `at` on."""

    name = models.CharField(max_length=128)
    seconds = models.PositiveIntegerField(help_text="Length of the span: 60 or 3600.")
    at = models.DateTimeField()
    count = models.PositiveIntegerField()
    sum = models.FloatField()
    min = models.FloatField()
    max = models.FloatField()
    last = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "seconds", "at"], name="rollup_once")]
        indexes = [models.Index(fields=["seconds", "at"], name="rollup_by_time")]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M}"


class Presence(models.Model):
    """When a person, or a program with that person's token, last asked for something; up to a minute behind."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="presence")
    seen_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "presences"

    def __str__(self) -> str:
        return f"{self.user} {self.seen_at:%Y-%m-%d %H:%M}"
