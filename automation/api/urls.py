"""Addresses of the API of automation: the canonical ones, then the compatibility routes as they are printed."""

from django.urls import path

from automation.api import metrics

canonical = [
    path("system/metrics", metrics.Metrics.as_view()),
    path("system/metrics/<str:name>", metrics.OneMetric.as_view()),
]

compatibility = [path("api/autonomous/system/metrics", metrics.AutonomousMetrics.as_view())]
