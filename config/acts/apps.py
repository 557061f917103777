"""Registers acts."""

from django.apps import AppConfig


class ActsConfig(AppConfig):
    """Calls of actions, approvals and slots; its label is what its tables are named after."""

    name = "config.acts"
    label = "acts"
    verbose_name = "Actions and approvals"
