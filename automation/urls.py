"""Every address of the app automation. Imports the doors."""

from django.urls import URLPattern, URLResolver, include, path

from automation.api import urls as api
from automation.dashboard import urls as dashboard

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api.canonical)),
    *api.compatibility,
    path("", include(dashboard)),
]
