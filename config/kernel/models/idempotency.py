"""Requests that carried an `Idempotency-Key`, and what was answered, so that a repeat starts nothing twice."""

from django.conf import settings
from django.db import models

from config.kernel.models.base import EncryptedTextField, Row


class IdempotencyKey(Row):
    """One POST of one user under one key. `status_code` is empty while it is being worked on."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    path = models.CharField(max_length=300)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the query and the body.")
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    body = EncryptedTextField(blank=True, default="", help_text="The answer as JSON; it may hold a secret that is shown once.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key", "path"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_time")]

    def __str__(self) -> str:
        return f"{self.key} {self.path}"
