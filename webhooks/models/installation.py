"""Where a GitHub app is installed, as its events tell."""

from django.db import models

from config.kernel.models.base import Row
from webhooks.models.source import Source


class Installation(Row):
    """One installation of a GitHub app; inactive once GitHub said that it was deleted."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="installations")
    installation_id = models.CharField(max_length=40)
    account = models.CharField(max_length=120, blank=True, default="")
    is_active = models.BooleanField(default=True)
    changed_at = models.DateTimeField(help_text="When the event that set this was received.")

    class Meta:
        ordering = ["-changed_at"]
        constraints = [models.UniqueConstraint(fields=["source", "installation_id"], name="installation_once")]

    def __str__(self) -> str:
        return f"{self.account or self.installation_id} ({'active' if self.is_active else 'inactive'})"
