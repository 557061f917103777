"""The door for senders: POST to a source. No session, no user, no CSRF; the signature says who it is."""

from collections.abc import Callable
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from config.doors import problems
from config.doors.middleware import client_ip
from config.kernel.flow import context
from config.kernel.flow.errors import capture
from webhooks.services import intake, sources
from webhooks.services.intake import Answer, Request

RETRY_SECONDS = 5
ADDRESS, GITHUB_ADDRESS = "/in/", "/api/v1/webhooks/github"


@csrf_exempt
def receive(request: HttpRequest, slug: str) -> HttpResponse:
    """`POST /in/<slug>`: the request of a sender. Whatever fails on our side is a 503, so that the sender keeps it and comes again."""
    if request.method != "POST":
        return _response(_plain(405, "Only POST is taken here.", {"Allow": "POST"}))
    with capture("webhooks.inbound_failed", source=slug) as caught:
        return _response(intake.receive(slug, _request(request)))
    assert caught.error is not None
    return _response(_plain(503, "The request could not be stored. Send it again.", {"Retry-After": str(RETRY_SECONDS)}))


class Shortcut:
    """Middleware, right behind the correlation id: inbound requests pass by sessions, users and cookies, of which they have none.

    What stands behind it costs more than taking a request does. Other requests go on, unless their body is larger than anything there
    takes: Django would write the files of such a form to the disk before it looks at who sent it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        slug = _slug(request.path_info)
        if not slug:
            is_large = (_length(request.META.get("CONTENT_LENGTH")) or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return problems.response(request, 413) if is_large else self.get_response(request)
        with context.using(ip=client_ip(request)):
            return receive(request, slug)


def largest_body(address: str) -> int:
    """How many bytes a body sent there may have. None where whoever sends it is refused anyway. Raises while the database is away."""
    slug = _slug(address)
    return intake.largest_body(slug) if slug else settings.DATA_UPLOAD_MAX_MEMORY_SIZE


def _slug(address: str) -> str:
    if address == GITHUB_ADDRESS:
        return sources.GITHUB
    return address[len(ADDRESS) :] if address.startswith(ADDRESS) and "/" not in address[len(ADDRESS) :] else ""


def _request(request: HttpRequest) -> Request:
    meta = request.META
    headers = {
        name[5:].replace("_", "-").lower(): value for name, value in meta.items() if name.startswith("HTTP_") and name != "HTTP_PROXY"
    }
    headers["content-type"] = meta.get("CONTENT_TYPE") or ""
    return Request(headers, _length(meta.get("CONTENT_LENGTH")), _reader(request, is_chunked="transfer-encoding" in headers))


def _length(given: Any) -> int | None:
    text = str(given or "")
    # `int` raises on thousands of digits; past nineteen the cap is reached in any case.
    return int(text[:19]) if text.isascii() and text.isdigit() else None


def _reader(request: HttpRequest, *, is_chunked: bool) -> Callable[[int], bytes]:
    """Django takes a body without Content-Length for an empty one; then the server's own stream is read, which ends by itself."""
    if is_chunked and request.META.get("wsgi.input_terminated"):
        read: Callable[[int], bytes] = request.META["wsgi.input"].read
        return read
    return request.read


def _plain(status: int, detail: str, headers: dict[str, str]) -> Answer:
    return Answer(status, {"status": "rejected", "detail": detail, "correlation_id": context.current().correlation_id}, headers)


def _response(answer: Answer) -> HttpResponse:
    body = orjson.dumps(answer.body)
    # Without a length, servers answer in chunks.
    headers = {"Content-Length": str(len(body)), **answer.headers}
    return HttpResponse(body, status=answer.status_code, content_type="application/json", headers=headers)


urlpatterns: list[URLPattern] = [
    path("in/<str:slug>", receive, name="inbound"),
    path("api/v1/webhooks/github", receive, {"slug": "github"}, name="inbound-github"),
]
