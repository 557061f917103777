"""Registers the app automation."""

from django.apps import AppConfig


class AutomationConfig(AppConfig):
    """The app automation; its rooms are filled later."""

    name = "automation"
