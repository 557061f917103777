"""Admin pages of reports and backups: read-only, each deed is one call of a service."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from automation.models import Report
from automation.services import backups
from config.acts.models import Backup
from config.doors.admin import ReadOnlyAdmin, deed


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """What was counted over a period; drawn on the dashboard."""

    view_scope = "metrics:view"
    list_display = ["short_uid", "title", "since", "until", "size", "created_by", "created_at"]
    list_filter = ["created_at"]
    search_fields = ["=uid", "title"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("content")


@admin.register(Backup)
class BackupAdmin(ReadOnlyAdmin):
    """Archives; the files are where DATA_DIR is."""

    view_scope = "metrics:view"
    list_display = ["uid", "kind", "types", "size", "host", "created_at", "verified_at", "restored_at", "expires_at"]
    list_filter = ["kind", "created_at"]
    search_fields = ["=uid", "=subject"]
    actions = [deed("Verify", backups.verify, scope="actions:execute_standard")]
