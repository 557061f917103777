"""The pages of endpoints: the list, one endpoint, adding and changing one. What is done to one is in `endpoint_deeds`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.kernel.limits import backoff
from config.kernel.models import Breaker, Event, EventType
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.enums import DeliveryStatus, EndpointStatus
from webhooks.forms.endpoints import EndpointForm
from webhooks.models import Delivery, Endpoint, Replay, Skip
from webhooks.services import endpoints, fanout, judgement, stats
from webhooks.services.stats import Standing

WINDOW = timedelta(hours=24)
NEEDS = (("failing", "Failing now"), ("held", "Breaker not closed"), ("dead", "With dead letters"))
FAILED = (DeliveryStatus.RETRYING, DeliveryStatus.DEAD)
RECENT, SHOWN_TYPES, SHOWN_DELAYS = 10, 300, 12
EXPORTED = {
    "id": lambda endpoint: endpoint.uid,
    "url": lambda endpoint: endpoint.shown_url,
    "description": lambda endpoint: endpoint.description,
    "status": lambda endpoint: endpoint.status,
    "status_reason": lambda endpoint: endpoint.status_reason,
    "events": lambda endpoint: ", ".join(endpoint.events),
    "failing_since": lambda endpoint: endpoint.failing_since,
    "last_delivered_at": lambda endpoint: endpoint.last_delivered_at,
    "last_failed_at": lambda endpoint: endpoint.last_failed_at,
    "created_at": lambda endpoint: endpoint.created_at,
}


@dataclass(frozen=True)
class Line:
    """One endpoint of the list."""

    endpoint: Endpoint
    breaker: str
    standing: Standing

    @property
    def last_at(self) -> datetime | None:
        """Of the last attempt, however it went."""
        return max((at for at in (self.endpoint.last_delivered_at, self.endpoint.last_failed_at) if at), default=None)

    @property
    def did_last_fail(self) -> bool:
        """Whether the last attempt failed."""
        return self.endpoint.last_failed_at is not None and self.last_at == self.endpoint.last_failed_at


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/endpoints`"""
    rows = _filtered(request)
    file = pages.export(request, rows, EXPORTED, name="endpoints")
    if file is not None:
        return file
    page = pages.listed(request, rows)
    shown = {
        "page": page,
        "lines": lines(page.rows, now=clock.now()),
        "statuses": EndpointStatus.choices,
        "needs": NEEDS,
        "is_filtered": pages.is_filtered(request, "status", "needs", "q"),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/endpoints.html", shown)


def lines(rows: Sequence[Endpoint], *, now: datetime) -> list[Line]:
    """The endpoints with what is known of each, in as many statements for fifty as for one."""
    standings = stats.standings(rows, since=now - WINDOW)
    keys = [endpoint.breaker_key for endpoint in rows]
    states = dict(Breaker.objects.filter(key__in=keys).values_list("key", "state"))
    return [Line(endpoint, states.get(endpoint.breaker_key, "closed"), standings[endpoint.pk]) for endpoint in rows]


def _filtered(request: HttpRequest) -> "QuerySet[Endpoint]":
    rows: QuerySet[Endpoint] = Endpoint.living.order_by("-id").defer("secret", "old_secrets", "signing_key", "headers")
    if status := request.GET.get("status", ""):
        rows = rows.filter(status=status)
    if asked := request.GET.get("q", "").strip()[:200]:
        rows = rows.filter(Endpoint.called(asked) | Q(uid=asked))
    return _in_need(rows, request.GET.get("needs", ""))


def _in_need(rows: "QuerySet[Endpoint]", need: str) -> "QuerySet[Endpoint]":
    if need == "failing":
        return rows.filter(failing_since__isnull=False)
    if need == "held":
        keys = Breaker.objects.filter(key__startswith="endpoint:").exclude(state=Breaker.State.CLOSED).values_list("key", flat=True)
        return rows.filter(pk__in=[int(key.rpartition(":")[2]) for key in keys])
    if need == "dead":
        return rows.filter(pk__in=Delivery.objects.filter(status="dead").order_by().values("endpoint_id"))
    return rows


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>`"""
    endpoint, now = pages.one(Endpoint.living.all(), uid, what="endpoint"), clock.now()
    disables_at = judgement.disables_at(endpoint)
    shown = {
        "endpoint": endpoint,
        "line": lines([endpoint], now=now)[0],
        "latency": stats.latency(since=now - WINDOW, endpoint=endpoint),
        "breaker": Breaker.objects.filter(key=endpoint.breaker_key).first(),
        "disables_at": disables_at,
        "is_over": disables_at is not None and disables_at <= now,
        "failed": Delivery.objects.filter(endpoint=endpoint, status__in=FAILED).only("uid").order_by("-id").first(),
        "deliveries": Delivery.objects.filter(endpoint=endpoint).select_related("event").defer("event__body")[:RECENT],
        "skips": Skip.objects.filter(endpoint=endpoint).select_related("event").defer("event__body").order_by("-id")[:RECENT],
        "replays": Replay.objects.filter(endpoint=endpoint)[:5],
        **_signing(endpoint, now),
        **_trying(endpoint),
        **_explained(request, endpoint),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/endpoint.html", shown)


def _signing(endpoint: Endpoint, now: datetime) -> Mapping[str, Any]:
    """What may be said of its secrets: how old, how many sign, whether it is time for a new one. Never the secrets."""
    credentials = endpoints.credentials(endpoint, now=now)
    return {
        "has_secret": bool(endpoint.secret),
        "old_secrets": len(credentials.old_secrets),
        "is_rotation_due": endpoints.is_rotation_due(endpoint, now=now),
        "public_key": endpoints.public_key(endpoint),
        "header_names": sorted(credentials.headers),
    }


def _trying(endpoint: Endpoint) -> Mapping[str, Any]:
    policy = endpoints.retry_policy(endpoint)
    delays = [backoff.delay_seconds(policy, attempt) for attempt in range(1, min(policy.max_attempts, SHOWN_DELAYS + 1))]
    return {"policy": policy, "timeout_seconds": endpoints.timeout_seconds(endpoint), "delays": [one for one in delays if one is not None]}


def _explained(request: HttpRequest, endpoint: Endpoint) -> Mapping[str, Any]:
    """`?event=evt_…`: whether that event would arrive, as both are now."""
    asked = request.GET.get("event", "").strip()[:64]
    event = Event.objects.filter(uid=asked).first() if asked else None
    return {"asked": asked, "asked_event": event, "explanation": fanout.explain(event, endpoint) if event else None}


@pages.form(MANAGE)
def add(request: HttpRequest) -> HttpResponse:
    """`/endpoints/new`: the answer to the POST shows the secret, this once; it goes through no cookie, session or address."""
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = endpoints.register(owner=_user(request), **form.cleaned_data)
        except InvalidInput as error:
            form.blame(error)
        else:
            return show_secret(request, made.endpoint, made.secret, deed="added")
    return pages.draw(request, "webhooks/endpoint_form.html", {"form": form, "types": _types()})


@pages.form(MANAGE)
def edit(request: HttpRequest, uid: str) -> HttpResponse:
    """`/endpoints/<uid>/edit`"""
    endpoint = pages.one(Endpoint.living.all(), uid, what="endpoint")
    form = EndpointForm(request.POST or None, endpoint=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.update(endpoint, **form.cleaned_data)
        except InvalidInput as error:
            form.blame(error)
        else:
            return pages.done(request, f"The endpoint {uid} is saved.", to=reverse("webhooks:endpoint", args=[uid]))
    return pages.draw(request, "webhooks/endpoint_form.html", {"form": form, "endpoint": endpoint, "types": _types()})


def show_secret(request: HttpRequest, endpoint: Endpoint, secret: str, *, deed: str) -> HttpResponse:
    """The one page that shows a secret; browsers are told not to keep it."""
    shown = {"endpoint": endpoint, "secret": secret, "deed": deed, "public_key": endpoints.public_key(endpoint)}
    response = pages.draw(request, "webhooks/endpoint_secret.html", shown)
    response["Cache-Control"] = "no-store"
    return response


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the page asked for a login
    return request.user


def _types() -> "QuerySet[EventType]":
    return EventType.objects.order_by("name")[:SHOWN_TYPES]
