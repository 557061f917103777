"""Reports: what was counted over a period, kept as it was found."""

from django.db import models

from config.kernel.models.base import Row, UidField


class Report(Row):
    """One report. `content` holds its parts as JSON; the HTML is drawn from it."""

    uid = UidField("rpt_")
    title = models.CharField(max_length=200)
    types = models.JSONField(default=list, help_text="Which parts: system, webhooks, automation, workflows, healing.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    content = models.JSONField(default=dict)
    size = models.PositiveIntegerField(default=0, help_text="Bytes of the content.")
    recipients = models.JSONField(default=list, blank=True, help_text="Who was sent it.")
    created_by = models.CharField(max_length=150, default="system")
    key = models.CharField(max_length=200, null=True, blank=True, unique=True, help_text="Under this key it is made once.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["created_at"], name="report_by_time")]

    def __str__(self) -> str:
        return f"{self.title} {self.uid}"
