"""The roof: the last installed app. Loads Celery for every entry point."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class Roof(AppConfig):
    """Wires everyone; nothing imports it."""

    name = "config"
    label = "roof"

    def ready(self) -> None:
        from config import celery

        celery.app.set_default()


class StewardAdminConfig(AdminConfig):
    """Stock admin on our own site object."""

    default_site = "config.kernel.desk.site.StewardAdmin"
