"""Registers the app workflows."""

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    """The app workflows; its rooms are filled later."""

    name = "workflows"
