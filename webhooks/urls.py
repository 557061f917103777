"""Every address of webhooks. Imports the doors."""

from django.urls import URLPattern, URLResolver, include, path

from webhooks import inbound
from webhooks.api import urls as api
from webhooks.dashboard import urls as dashboard

urlpatterns: list[URLPattern | URLResolver] = [
    *inbound.urlpatterns,
    path("api/v1/", include(api.canonical)),
    *api.compatibility,
    *api.public,
    path("", include(dashboard)),
]
