"""Registers the app webhooks."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Events in from outside, events out to outside."""

    name = "webhooks"

    def ready(self) -> None:
        """Tell `up` what this app makes ready for the embedded set-up."""
        from config.kernel.plugins.contracts import starters
        from webhooks.services import welcome

        starters.register("webhooks.welcome", welcome.prepare)
