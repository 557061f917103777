"""What was measured: all values of one tick together, and what is kept of them later."""

from django.db import models


class Snapshot(models.Model):
    """Every value measured at one tick. What could not be measured is not in it."""

    at = models.DateTimeField(unique=True)
    values = models.JSONField(help_text="Name → number.")

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
