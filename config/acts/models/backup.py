"""Backups: archives of data, and files as they were before a fix. One table for both (C-32)."""

from datetime import UTC, datetime

from django.db import models

from config.kernel.models.base import Row, UidField


class Backup(Row):
    """One archive that was written, read back and found whole. Its id tells when, as `backup_20251019_170000`."""

    class Kind(models.TextChoices):
        DATA = "data", "data"
        PRE_FIX = "pre_fix", "before a fix"

    uid = UidField("backup_")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    types = models.JSONField(default=list, blank=True, help_text="What is in it: database, files, config.")
    subject = models.CharField(max_length=160, blank=True, default="", help_text="What it was made for, as `fix:fix_…`.")
    path = models.CharField(max_length=400, help_text="The archive, relative to DATA_DIR/backups.")
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    manifest = models.JSONField(default=dict, blank=True, help_text="Its parts with their sizes and checksums, and what made them.")
    host = models.CharField(max_length=160, blank=True, default="", help_text="The machine whose disk holds it.")
    created_by = models.CharField(max_length=150, default="system")
    key = models.CharField(max_length=200, null=True, blank=True, unique=True, help_text="Under this key it is made once.")
    verified_at = models.DateTimeField(null=True, blank=True, help_text="When it was last read back and found whole.")
    restored_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When it may be removed.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["kind", "created_at"], name="backup_by_kind")]

    def __str__(self) -> str:
        return self.uid

    @classmethod
    def free_uid(cls, at: datetime) -> str:
        """`backup_YYYYMMDD_HHMMSS` in UTC, with `_2`, `_3` … when that second is taken."""
        stem = at.astimezone(UTC).strftime("backup_%Y%m%d_%H%M%S")
        taken = set(cls.objects.filter(uid__startswith=stem).values_list("uid", flat=True))
        return stem if stem not in taken else next(uid for n in range(2, len(taken) + 3) if (uid := f"{stem}_{n}") not in taken)
