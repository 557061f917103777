"""Addresses of the pages of healing, under the name `healing:`."""

from django.urls import path

from healing.dashboard import services

app_name = "healing"
urlpatterns = [
    path("services", services.listing, name="services"),
    path("services/<str:uid>", services.detail, name="service"),
    path("services/<str:uid>/check", services.check, name="service-check"),
    path("services/<str:uid>/restart", services.restart, name="service-restart"),
    path("services/<str:uid>/scale", services.scale, name="service-scale"),
]
