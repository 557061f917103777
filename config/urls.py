"""Every address of the product."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from config.dashboard import status
from config.doors import problems

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", status.health_page, name="health"),
    path("metrics", status.metrics_page, name="metrics"),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("admin/", admin.site.urls),
    path("", include("config.dashboard.urls")),
    path("", include("webhooks.urls")),
    path("", include("automation.urls")),
    path("", include("healing.urls")),
]

handler400 = problems.bad_request
handler403 = problems.permission_denied
handler404 = problems.page_not_found
handler500 = problems.server_error
