"""The pages of deliveries: the live list, and one delivery with every attempt, its phases and what to do about its error."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.enums import ENDED_STATUSES, OPEN_STATUSES, DeliveryStatus, ErrorCode
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import deliveries

BODY_SHOWN_BYTES = 262_144
# A word such as "com" may be in every URL; a filter that means so many is of no help.
ENDPOINTS_MEANT = 200
GROUPS = {"open": OPEN_STATUSES, "ended": ENDED_STATUSES}
STATUSES = [("open", "open (any)"), *DeliveryStatus.choices]
EXPORTED = {
    "id": lambda delivery: delivery.uid,
    "event_id": lambda delivery: delivery.event.uid,
    "event_type": lambda delivery: delivery.event.type,
    "endpoint_id": lambda delivery: delivery.endpoint.uid,
    "endpoint_url": lambda delivery: delivery.endpoint.shown_url,
    "status": lambda delivery: delivery.status,
    "attempts": lambda delivery: delivery.attempt_count,
    "last_status_code": lambda delivery: delivery.last_status_code,
    "last_error": lambda delivery: delivery.last_error_code,
    "created_at": lambda delivery: delivery.created_at,
    "next_attempt_at": lambda delivery: delivery.next_attempt_at,
    "finished_at": lambda delivery: delivery.finished_at,
}
# What an operator can do about each class of error.
ADVICE = {
    ErrorCode.DNS: "The name of the host was not found. Check the URL for a slip of the pen, and that the name is published in DNS.",
    ErrorCode.CONNECT: (
        "There was no connection, or it ended before a whole HTTP reply had come. See that the receiver runs, "
        "what its log says of this time, and that no firewall is in between."
    ),
    ErrorCode.TLS: "The connection could not be made secure. Look at the receiver's certificate: expired, for another name, or incomplete?",
    ErrorCode.TIMEOUT: "No complete reply came in time. Let the receiver answer first and work later, or give the endpoint more time.",
    ErrorCode.BLOCKED_URL: "Steward may not call this address. If it is meant, an operator allows it with WEBHOOK_ALLOWED_NETWORKS.",
}
BY_STATUS = {
    401: "The receiver does not accept our proof. Compare its secret with this endpoint's; rotate it when in doubt.",
    403: "The receiver does not accept our proof. Compare its secret with this endpoint's; rotate it when in doubt.",
    404: "The receiver has nothing at this path. Compare the URL with its routes.",
    405: "The receiver takes no POST at this path. Compare the URL with its routes.",
    410: "The receiver says that it is gone for good, so the endpoint was disabled. Enable it again if that was a mistake.",
    413: "The receiver finds the request too large. Raise its limit, or turn batches off or make them smaller.",
    429: "The receiver is asked too often. Set a rate per minute on the endpoint; what is too much is delayed, never dropped.",
}


@dataclass(frozen=True)
class Shown:
    """An attempt as it is drawn: its phases in milliseconds, and what to do about its error."""

    attempt: Attempt
    phases: Sequence[tuple[str, float]]
    advice: str
    is_of_batch: bool


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/deliveries`"""
    rows = filtered(request)
    names = ("status", "endpoint", "type", "since", "until", "event", "batch")
    shown = {
        "statuses": STATUSES,
        "now": clock.now(),
    }
    return pages.list_page(request, "webhooks/deliveries.html", rows, EXPORTED, shown, filters=names)


def filtered(request: HttpRequest) -> "QuerySet[Delivery]":
    """The deliveries that the query string asks for, newest first, without their bodies."""
    rows = Delivery.objects.select_related("event", "endpoint").defer(
        "event__body", "endpoint__secret", "endpoint__old_secrets", "endpoint__signing_key", "endpoint__headers"
    )
    asked = {name: request.GET.get(name, "").strip()[:200] for name in ("status", "endpoint", "type", "event", "batch")}
    if asked["status"]:
        rows = rows.filter(status__in=GROUPS.get(asked["status"], [asked["status"]]))
    if asked["endpoint"]:
        rows = rows.filter(endpoint__in=_called(asked["endpoint"]))
    for name, field in (("event", "event__uid"), ("batch", "batch__uid")):
        if asked[name]:
            rows = rows.filter(**{field: asked[name]})
    if asked["type"].endswith("*"):
        rows = rows.filter(event__type__startswith=asked["type"][:-1])
    elif asked["type"]:
        rows = rows.filter(event__type=asked["type"])
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    if until := pages.since(request, "until"):
        rows = rows.filter(created_at__lt=until)
    return rows.order_by("-id")


def _called(asked: str) -> Sequence[int]:
    """The endpoint with this id, else those with this in their description or URL."""
    rows = Endpoint.objects.order_by("-id").values_list("pk", flat=True)
    exact = list(rows.filter(uid=asked))
    return exact or list(rows.filter(Endpoint.called(asked))[:ENDPOINTS_MEANT])


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/deliveries/<uid>`"""
    delivery: Delivery = pages.one(Delivery.objects.select_related("event", "endpoint", "batch"), uid, what="delivery")
    attempts = [*delivery.attempts.all(), *(delivery.batch.attempts.all() if delivery.batch else ())]
    attempts.sort(key=lambda attempt: attempt.started_at, reverse=True)
    body = delivery.batch.body if delivery.batch else delivery.event.body
    shown = {
        "delivery": delivery,
        "attempts": [_shown(attempt) for attempt in attempts],
        "body": body if len(body) <= BODY_SHOWN_BYTES else None,
        "size": len(body),
        "is_open": delivery.status in OPEN_STATUSES,
        "now": clock.now(),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/delivery.html", shown)


def _shown(attempt: Attempt) -> Shown:
    known = [("dns", attempt.dns_ms), ("connect", attempt.connect_ms), ("tls", attempt.tls_ms), ("wait", attempt.first_byte_ms)]
    phases = [(name, length) for name, length in known if length]
    rest = attempt.duration_ms - sum(length for _, length in phases)
    if rest > 0 and attempt.duration_ms:
        phases.append(("rest", rest))
    return Shown(attempt, phases, advice(attempt.error_code, attempt.status_code), attempt.batch_id is not None)


def advice(error_code: str, status_code: int | None) -> str:
    """What to do about this error, in a sentence or two; empty after a success."""
    if error_code != ErrorCode.HTTP_STATUS:
        return ADVICE.get(ErrorCode(error_code), "") if error_code in ErrorCode.values else ""
    code = status_code or 0
    if code in BY_STATUS:
        return BY_STATUS[code]
    if 300 <= code <= 399:
        return "The receiver redirects, and redirects are never followed. Enter the final URL at the endpoint."
    if code >= 500:
        return "The receiver failed inside. Its own log at this time says why; once it is mended, redeliver."
    return "The receiver refused the request. Its reply below may say why; once it is mended, redeliver."


@pages.deed(MANAGE)
def redeliver(request: HttpRequest, uid: str) -> HttpResponse:
    """`/deliveries/<uid>/redeliver`"""
    delivery = _one(uid)
    if deliveries.redeliver(delivery):
        endpoint = delivery.endpoint
        when = "is on its way again" if endpoint.is_active else f"goes again as soon as its endpoint, now {endpoint.status}, is in use"
        return pages.done(request, f"The delivery {uid} {when}, with the same event id and the same bytes.")
    return pages.nothing(request, f"The delivery {uid} is open already: it is being tried. Cancel it first if you want it to begin anew.")


@pages.deed(MANAGE)
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """`/deliveries/<uid>/cancel`"""
    if deliveries.cancel(_one(uid)):
        return pages.done(request, f"The delivery {uid} is cancelled. No further attempt is made.")
    return pages.nothing(request, f"The delivery {uid} has ended already, so there is nothing to cancel.")


def _one(uid: str) -> Delivery:
    found: Delivery = pages.one(Delivery, uid, what="delivery")
    return found
