"""What every request passes through: a correlation id and a count, a content security policy, and who is calling.
Named in settings.MIDDLEWARE; must stay cheap, because the inbound door takes over a thousand requests a second."""

import ipaddress
import secrets
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject

from config.doors import presence, problems
from config.kernel.flow import context
from config.kernel.watch import metrics

Answer = Callable[[HttpRequest], HttpResponseBase]

UNCOUNTED = ("/health", "/metrics", "/static/")
# Signed doors: no session, no user, no cookie.
INBOUND = ("/in/", "/api/v1/webhooks/github")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)


class Correlation:
    """The outermost: takes or makes the correlation id, counts the request, refuses what no database can store."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        correlation_id = context.valid_correlation_id(request.headers.get(context.HEADER, ""))
        # For log lines that Django writes after the context has ended.
        request.correlation_id = correlation_id  # type: ignore[attr-defined]
        with context.using(correlation_id=correlation_id, actor="anonymous"):
            response = problems.response(request, 400, _NUL) if _has_nul(request) else self.get_response(request)
        response[context.HEADER] = correlation_id
        if not request.path_info.startswith(UNCOUNTED):
            _count(request, response, perf_counter() - started)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """An error that a page let through and that says itself what it is, such as NotFound."""
        found = problems.describe(error)
        return problems.answer(request, *found) if found else None


class ContentSecurityPolicy:
    """Scripts only from us or with `request.csp_nonce`; styles only from files. A view may set its own header."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonce = request.csp_nonce = secrets.token_urlsafe(16)  # type: ignore[attr-defined]
        response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.setdefault("Content-Security-Policy", POLICY.format(nonce=nonce))
        return response


class Actor:
    """The innermost: the caller's address, and the name of whoever is logged in. A token's owner is added by the API."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with context.using(ip=client_ip(request), actor=_user_name(request)):
            response = self.get_response(request)
        if not request.path_info.startswith((*UNCOUNTED, *INBOUND)):
            _note_presence(request)
        return response


def client_ip(request: HttpRequest) -> str:
    """The caller's address. X-Forwarded-For is read from its end, as far back as settings.TRUSTED_PROXIES are named in it."""
    address = _address(request.META.get("REMOTE_ADDR", ""))
    proxies = _networks(tuple(settings.TRUSTED_PROXIES))
    forwarded = request.headers.get("X-Forwarded-For", "") if proxies else ""
    for hop in reversed(forwarded.split(",") if forwarded else []):
        if address is None or not any(address in network for network in proxies):
            break
        address = _address(hop.strip()) or address
    return str(address) if address else ""


_NUL = "The address holds a NUL character (%00), which nothing here is called. Leave it out."


def _has_nul(request: HttpRequest) -> bool:
    return "\0" in request.path_info or "%00" in request.META.get("QUERY_STRING", "")


def _count(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    method = request.method if request.method in METHODS else "other"
    metrics.count("http_requests_total", method=str(method), status=f"{response.status_code // 100}xx")
    metrics.observe("http_request_seconds", seconds)


def _user_name(request: HttpRequest) -> str:
    """Only a request with a session cookie is asked for its user: everything else would cost a look for nothing."""
    if request.path_info.startswith(INBOUND) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return "anonymous"
    return request.user.get_username() or "anonymous"


def _note_presence(request: HttpRequest) -> None:
    """Whoever is known by now: the session's user, or the owner of the token, whom the API has put into the request."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject) and settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return
    if user is not None and user.is_authenticated and user.pk:
        presence.seen(user.pk)


@lru_cache(maxsize=1024)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(maxsize=4)
def _networks(given: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network.strip(), strict=False) for network in given if network.strip())
