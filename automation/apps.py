"""Registers the app automation."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AutomationConfig(AppConfig):
    """When this happens, and if that holds, then do; queues, reports, backups, messages."""

    name = "automation"

    def ready(self) -> None:
        """Have the queue `default` made; contribute to reports, and to mails that take one along."""
        from automation.services.reporting import report_files, report_parts, rule_parts
        from config.acts.plugins.reporters import Reporter, reporters
        from config.kernel.plugins.contracts import attachers

        post_migrate.connect(make_default_queue, sender=self, dispatch_uid="automation.make_default_queue")
        reporters.register("automation.system", Reporter("system", report_parts.system))
        reporters.register("automation.rules", Reporter("automation", rule_parts.rules, 50))
        reporters.register("automation.actions", Reporter("automation", report_parts.automation))
        attachers.register("automation.report", report_files.attached)


def make_default_queue(**_: Any) -> None:
    """After every migration, unless a person deleted it."""
    from automation.services import queues

    queues.ensure_default()
