"""Every address of healing. Imports the doors."""

from django.urls import URLPattern, URLResolver, include, path

from healing.api import urls as api
from healing.dashboard import urls as dashboard

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include(api.canonical)),
    path("", include(dashboard)),
]
