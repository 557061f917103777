"""Registers the app automation."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AutomationConfig(AppConfig):
    """When this happens, do that; and work that waits in queues."""

    name = "automation"

    def ready(self) -> None:
        """Have the queue `default` made."""
        post_migrate.connect(make_default_queue, sender=self, dispatch_uid="automation.make_default_queue")


def make_default_queue(**_: Any) -> None:
    """After every migration, unless a person deleted it."""
    from automation.services import queues

    queues.ensure_default()
