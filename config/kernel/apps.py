"""Registers the kernel and discovers the plug-ins of all installed apps."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class KernelConfig(AppConfig):
    """The ground; its label is what its tables are named after."""

    name = "config.kernel"
    label = "kernel"
    verbose_name = "Events, access and upkeep"

    def ready(self) -> None:
        from config.kernel import tasks
        from config.kernel.plugins import discovery

        assert tasks  # the nudges need their carrier in every process
        discovery.discover()
        post_migrate.connect(load_built_ins, sender=self, dispatch_uid="kernel.load_built_ins")


def load_built_ins(**_: Any) -> None:
    """After every migration: our event types, our schedule, our roles. Rows that people changed stay as they are."""
    from config.kernel.desk import permissions
    from config.kernel.flow import event_types, schedules

    event_types.load_declared()
    schedules.load()
    permissions.set_up_roles()
