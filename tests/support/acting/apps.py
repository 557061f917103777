"""Registers the app."""

from django.apps import AppConfig


class ActingConfig(AppConfig):
    """No rows, only plug-ins."""

    name = "tests.support.acting"
    label = "acting"
