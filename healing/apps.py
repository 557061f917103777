"""Registers the app healing."""

from django.apps import AppConfig


class HealingConfig(AppConfig):
    """The app healing; its rooms are filled later."""

    name = "healing"
