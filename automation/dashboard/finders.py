"""Where the search box leads: from the ids of automation to their pages."""

from django.urls import reverse

from automation.models import Report
from config.acts.models import Backup
from config.kernel.plugins.contracts import Found, finders


@finders.plugin("automation.report")
def find_report(asked: str) -> Found | None:
    """`rpt_…`"""
    if asked.startswith("rpt_") and Report.objects.filter(uid=asked).exists():
        return Found(f"Report {asked}", reverse("automation:report", args=[asked]))
    return None


@finders.plugin("automation.backup")
def find_backup(asked: str) -> Found | None:
    """`backup_…`"""
    if asked.startswith("backup_") and Backup.objects.filter(uid=asked).exists():
        return Found(f"Backup {asked}", reverse("automation:backup", args=[asked]))
    return None
