"""Registers the app webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Events in from outside, events out to outside."""

    name = "webhooks"
