"""Every error as `application/problem+json` (RFC 9457), or as a page for people. Called by DRF, by Django's error
handlers (config.urls) and by middleware."""

import logging
import math
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.template import loader
from rest_framework import exceptions
from rest_framework.response import Response

from config.kernel.flow import context
from config.kernel.flow.errors import StewardError, capture

log = logging.getLogger("kernel.problems")

MEDIA_TYPE = "application/problem+json"
URN = "urn:steward:problem:"
FALLBACK = "<!DOCTYPE html><title>{title}</title><h1>{title}</h1><p>{detail}</p><p>Correlation id: {correlation_id}</p>"
NO_CREDENTIALS = "No credentials were sent. Send a token as `Authorization: Bearer <token>`, or log in."
SENTENCES = {
    400: "The request cannot be understood. Check its address, headers and body.",
    403: "You may not do this. Ask an administrator for the permission.",
    404: "There is nothing at this address. Check it for a misspelling.",
    413: "The request is larger than this installation accepts. Send less at once.",
    500: "Steward made a mistake. It is in the log under the correlation id.",
    503: "The database does not answer. Try again in a few seconds.",
}
DATABASE_AWAY_SECONDS = 5


def problem(error: Exception, where: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. None for what nobody expected: Django then logs it and calls `server_error`."""
    found = describe(error)
    if found is None:
        return None
    body, headers = found
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def describe(error: Exception) -> tuple[dict[str, Any], dict[str, str]] | None:
    """The problem object and the extra headers of an error; None for one that is a mistake of ours."""
    if isinstance(error, StewardError):
        return _of_steward(error)
    if isinstance(error, exceptions.APIException):
        return _of_rest_framework(error)
    if isinstance(error, DjangoValidationError):
        return _of_fields(_django_fields(error)), {}
    if isinstance(error, OperationalError | InterfaceError):
        log.error("database.away", exc_info=error)
        return body_of(503, code="database_away"), {"Retry-After": str(DATABASE_AWAY_SECONDS)}
    status = _status_of_django(error)
    return (body_of(status), {}) if status else None


def body_of(status: int, detail: str = "", *, code: str = "", errors: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """The problem object of a status. `errors`: name of a field → sentences."""
    title = HTTPStatus(status).phrase
    found: dict[str, Any] = {
        "type": URN + (code or title.lower().replace(" ", "_")),
        "title": title,
        "status": status,
        "detail": detail or SENTENCES.get(status, title + "."),
        "correlation_id": context.current().correlation_id,
    }
    return {**found, "errors": _short(errors)} if errors else found


def response(request: HttpRequest, status: int, detail: str = "", *, code: str = "") -> HttpResponse:
    """An error outside of DRF: JSON for programs, a page for people."""
    return answer(request, body_of(status, detail, code=code), {})


def answer(request: HttpRequest, body: Mapping[str, Any], headers: Mapping[str, str]) -> HttpResponse:
    """What `describe` found, outside of DRF."""
    if _wants_json(request):
        return HttpResponse(orjson.dumps(body), status=body["status"], content_type=MEDIA_TYPE, headers=dict(headers))
    return HttpResponse(_page(request, body), status=body["status"], headers=dict(headers))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400` of config.urls."""
    return response(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler403` of config.urls."""
    return response(request, 403, str(exception))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404` of config.urls."""
    return response(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500` of config.urls."""
    return response(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`CSRF_FAILURE_VIEW` of the settings."""
    return response(request, 403, "The form was too old or came from elsewhere. Reload the page and send it again.", code="csrf")


def _of_steward(error: StewardError) -> tuple[dict[str, Any], dict[str, str]]:
    wait = getattr(error, "retry_after_seconds", None)
    body = body_of(error.status, error.message, code=error.code, errors=getattr(error, "fields", None))
    return body, {} if wait is None else _retry_after(wait)


def _of_rest_framework(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    # DRF puts these two on the error itself.
    scheme, wait = getattr(error, "auth_header", None), getattr(error, "wait", None)
    headers = {"WWW-Authenticate": scheme} if scheme else {}
    if wait is not None:
        headers.update(_retry_after(wait))
    if isinstance(error, exceptions.ValidationError):
        return _of_fields(_flat(error.detail)), headers
    said = NO_CREDENTIALS if isinstance(error, exceptions.NotAuthenticated) else str(error.detail)
    return body_of(error.status_code, said, code=str(error.default_code)), headers


def _of_fields(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    said = " ".join(f"{name}: {sentence}" for name, sentences in list(_short(fields).items())[:3] for sentence in sentences[:1])
    return body_of(400, said, code="invalid", errors=fields)


def _short(fields: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """What a person can use of it: sentences may quote what was sent, and there is one for each item."""
    return {name[:100]: [sentence[:300] for sentence in said[:5]] for name, said in islice(fields.items(), 50)}


def _flat(detail: Any, name: str = "") -> dict[str, list[str]]:
    """Nested errors under dotted names; what belongs to no field is under `body`."""
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for key, inner in detail.items():
            part = name if key == "non_field_errors" else f"{name}.{key}" if name else str(key)
            found.update(_flat(inner, part))
        return found
    if isinstance(detail, list) and any(isinstance(item, Mapping | list) for item in detail):
        return {key: said for index, inner in enumerate(detail) for key, said in _flat(inner, f"{name}.{index}".lstrip(".")).items()}
    return {name or "body": [str(item) for item in detail] if isinstance(detail, list) else [str(detail)]} if detail else {}


def _django_fields(error: DjangoValidationError) -> dict[str, list[str]]:
    if hasattr(error, "error_dict"):
        return {"body" if name == "__all__" else name: said for name, said in error.message_dict.items()}
    return {"body": error.messages}


def _status_of_django(error: Exception) -> int:
    if isinstance(error, Http404):
        return 404
    if isinstance(error, PermissionDenied):
        return 403
    if isinstance(error, RequestDataTooBig):
        return 413
    return 400 if isinstance(error, SuspiciousOperation | UnreadablePostError) else 0


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def _wants_json(request: HttpRequest) -> bool:
    if request.path.startswith(("/api/", "/in/", "/webhooks/test", "/.well-known/")):
        return True
    return "json" in (request.get_preferred_type(["text/html", "application/json", MEDIA_TYPE]) or "")


def _page(request: HttpRequest, body: Mapping[str, Any]) -> str:
    """`error.html`, or three plain lines when even that cannot be drawn: the database may be what is missing."""
    with capture("error_page.failed", status=body["status"]):
        return loader.render_to_string("error.html", dict(body), request)
    return FALLBACK.format(**{name: escape(str(value)) for name, value in body.items()})
