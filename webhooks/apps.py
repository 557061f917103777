"""Registers the app webhooks."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WebhooksConfig(AppConfig):
    """Events in from outside, events out to outside."""

    name = "webhooks"

    def ready(self) -> None:
        """Tell `up` what this app makes ready for the embedded set-up, and reports what it has to say."""
        from config.acts.plugins.reporters import Reporter, reporters
        from config.kernel.plugins.contracts import starters
        from webhooks.services import reporting, welcome

        starters.register("webhooks.welcome", welcome.prepare)
        reporters.register("webhooks.deliveries", Reporter("webhooks", reporting.part))
        post_migrate.connect(make_github_source, sender=self, dispatch_uid="webhooks.make_github_source")


def make_github_source(**_: Any) -> None:
    """After every migration: the source `github`, where GITHUB_WEBHOOK_SECRET is set. Its first request would make it too."""
    from webhooks.services import sources

    sources.ensure_github()
