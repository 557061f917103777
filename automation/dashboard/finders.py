"""Where the search box leads: from the ids of automation to their pages."""

from django.urls import reverse

from automation.models import Execution, Report, Rule
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


@finders.plugin("automation.rule")
def find_rule(asked: str) -> Found | None:
    """`rul_…`, or the name of a rule."""
    named = {"uid": asked} if asked.startswith("rul_") else {"name__iexact": asked}
    rule = Rule.living.filter(**named).defer("actions").first()
    return Found(f"Rule {rule.name}", reverse("automation:rule", args=[rule.uid])) if rule else None


@finders.plugin("automation.execution")
def find_execution(asked: str) -> Found | None:
    """`exe_…`"""
    if asked.startswith("exe_") and Execution.objects.filter(uid=asked).exists():
        return Found(f"Execution {asked}", reverse("automation:execution", args=[asked]))
    return None
