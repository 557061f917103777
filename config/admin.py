"""The admin site of Steward."""

from django.contrib.admin.apps import AdminConfig


class StewardAdminConfig(AdminConfig):
    """Stock admin on our own site object."""

    default_site = "config.kernel.desk.site.StewardAdmin"
