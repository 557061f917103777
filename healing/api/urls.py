"""Addresses of the API of healing."""

from django.urls import path

from healing.api import services

canonical = [
    path("healing/services", services.Services.as_view()),
    path("healing/services/<str:service_id>", services.OneService.as_view()),
    path("healing/services/<str:service_id>/status", services.ServiceStatus.as_view()),
    path("healing/services/<str:service_id>/restart", services.RestartService.as_view()),
    path("healing/services/<str:service_id>/scale", services.ScaleService.as_view()),
]
