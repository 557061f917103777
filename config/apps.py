"""The roof: the last installed app. Loads Celery for every entry point."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.core import checks


class Roof(AppConfig):
    """Wires everyone; nothing imports it."""

    name = "config"
    label = "roof"

    def ready(self) -> None:
        from config import celery

        celery.app.set_default()


class StewardAdminConfig(AdminConfig):
    """Stock admin on our own site object."""

    default_site = "config.look.site.StewardAdmin"


@checks.register(checks.Tags.security, deploy=True)
def check_open_doors(**_: Any) -> list[checks.CheckMessage]:
    """`check --deploy` warns of what a trial may need and an installation should not have (C-27)."""
    found: list[checks.CheckMessage] = []
    if settings.WEBHOOK_ALLOW_HTTP:
        hint = "Unset WEBHOOK_ALLOW_HTTP: deliveries then go to https addresses only."
        found.append(checks.Warning("Deliveries may go over plain http (WEBHOOK_ALLOW_HTTP).", hint=hint, id="steward.W001"))
    if settings.WEBHOOK_ALLOWED_NETWORKS:
        named = ", ".join(settings.WEBHOOK_ALLOWED_NETWORKS)
        hint = "Unset WEBHOOK_ALLOWED_NETWORKS, or keep it as narrow as the receivers need."
        found.append(checks.Warning(f"Deliveries may reach private networks ({named}).", hint=hint, id="steward.W002"))
    return found
