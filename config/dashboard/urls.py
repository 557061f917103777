"""Addresses of the roof's own pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from config.dashboard import events, overview, records

app_name = "dashboard"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("fragments/health", overview.health_corner, name="health"),
    path("theme", overview.theme, name="theme"),
    path("login", LoginView.as_view(template_name="login.html", redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("search", records.search, name="search"),
    path("events", events.listing, name="events"),
    path("events/publish", events.publish, name="event-publish"),
    path("events/<str:uid>", events.detail, name="event"),
    path("events/<str:uid>/body", events.body, name="event-body"),
    path("events/<str:uid>/reroute", events.reroute, name="event-reroute"),
    path("notifications", records.notification_list, name="notifications"),
    path("notifications/read", records.notifications_read, name="notifications-read"),
    path("notifications/<str:uid>/read", records.notification_read, name="notification-read"),
    path("audit", records.audit, name="audit"),
]
