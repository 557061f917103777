"""Addresses of the pages of automation, under the name `automation:`."""

from django.urls import path

from automation.dashboard import metrics

app_name = "automation"
urlpatterns = [
    path("system/metrics", metrics.listing, name="metrics"),
    path("system/metrics/<str:name>", metrics.detail, name="metric"),
    path("system/metrics/<str:name>/data", metrics.data, name="metric-data"),
]
