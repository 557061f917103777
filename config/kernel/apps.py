"""Registers the kernel and discovers the plug-ins of all installed apps."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """The ground; its label is what its tables are named after."""

    name = "config.kernel"
    label = "kernel"
    verbose_name = "Kernel"

    def ready(self) -> None:
        from config.kernel.plugins import discovery

        discovery.discover()
