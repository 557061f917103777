"""Two pages for machines, without a login: `/health` and `/metrics`. Mounted by `config.urls`; neither is counted."""

import secrets

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from config.kernel.watch import health, metrics


@never_cache
@require_safe
def health_page(request: HttpRequest) -> JsonResponse:
    """`{"status", "checks": {name: state}, "uptime": seconds}`; 503 when critical. Says no more, for anybody may ask."""
    found = health.report()
    checks = {name: probed.status for name, probed in found.checks.items()}
    body = {"status": found.status, "checks": checks, "uptime": health.uptime_seconds()}
    return JsonResponse(body, status=503 if found.status == health.CRITICAL else 200)


@never_cache
@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Prometheus text. 404 when ENABLE_METRICS is off, 401 without the METRICS_TOKEN where one is set, 503 without a database."""
    if not settings.ENABLE_METRICS:
        return HttpResponse("Metrics are switched off (ENABLE_METRICS).\n", status=404, content_type="text/plain")
    if settings.METRICS_TOKEN and not _knows_token(request):
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", status=401, headers=headers, content_type="text/plain")
    try:
        return HttpResponse(metrics.render(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except Error:
        return HttpResponse("The counts cannot be read: the database does not answer.\n", status=503, content_type="text/plain")


def _knows_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    return secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
