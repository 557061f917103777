"""Leases, breakers, buckets: what all processes must know of each other."""

from django.db import models

from config.kernel.flow import clock


class Lease(models.Model):
    """A name that one holder owns until `until`."""

    name = models.CharField(max_length=160, unique=True)
    holder = models.CharField(max_length=160, blank=True, default="")
    token = models.CharField(max_length=32)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Breaker(models.Model):
    """A switch per target: closed lets everything pass, open nothing, half open one trial."""

    class State(models.TextChoices):
        CLOSED = "closed", "closed"
        OPEN = "open", "open"
        HALF_OPEN = "half_open", "half open"

    key = models.CharField(max_length=160, unique=True, help_text="What it guards, as `kind:id`.")
    state = models.CharField(max_length=16, choices=State.choices, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0, help_text="Failures in a row.")
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True, help_text="When the next trial may pass.")
    changed_at = models.DateTimeField(default=clock.now)

    def __str__(self) -> str:
        return f"{self.key}: {self.state}"


class Bucket(models.Model):
    """A token bucket: `tokens` as of `filled_at`. Used where there is no Redis, or while it is away."""

    key = models.CharField(max_length=160, unique=True)
    tokens = models.FloatField()
    filled_at = models.FloatField(help_text="Unix time in seconds.")

    def __str__(self) -> str:
        return self.key
