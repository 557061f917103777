"""The page of dead letters: deliveries that were given up, by endpoint; sent again one by one, some, or all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from config.kernel.desk import permissions
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.dashboard.deliveries import EXPORTED, filtered
from webhooks.enums import DeliveryStatus, EndpointStatus
from webhooks.models import Delivery, Endpoint
from webhooks.services import deliveries

GROUPS_SHOWN = 50


@dataclass(frozen=True)
class Group:
    """The dead letters of one endpoint."""

    endpoint: Endpoint
    count: int
    first_at: datetime | None
    last_at: datetime | None


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/dead-letters`"""
    rows = filtered(request).filter(status=DeliveryStatus.DEAD)
    groups = _groups()
    chosen = request.GET.get("endpoint", "")
    shown = {
        "groups": groups,
        "total": sum(group.count for group in groups),
        "chosen": next((group for group in groups if group.endpoint.uid == chosen), None),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.list_page(request, "webhooks/dead_letters.html", rows, EXPORTED, shown, filters=("endpoint", "type", "since"))


def _groups() -> list[Group]:
    """The most first. Letters of deleted endpoints are listed below, but cannot be sent again."""
    dead = Delivery.objects.filter(status=DeliveryStatus.DEAD, endpoint__deleted_at__isnull=True).order_by()
    found: Any = dead.values("endpoint_id").annotate(count=Count("pk"), first_at=Min("finished_at"), last_at=Max("finished_at"))
    top = found.order_by("-count", "endpoint_id")[:GROUPS_SHOWN]
    counted = {row["endpoint_id"]: row for row in top}
    rows = Endpoint.objects.defer("secret", "old_secrets", "signing_key", "headers").in_bulk(list(counted))
    return [Group(rows[key], row["count"], row["first_at"], row["last_at"]) for key, row in counted.items()]


@pages.deed(MANAGE)
def redeliver(request: HttpRequest) -> HttpResponse:
    """`/dead-letters/redeliver`: those whose box is ticked."""
    chosen = request.POST.getlist("delivery")[: pages.SIZES[-1]]
    if not chosen:
        return pages.nothing(request, "No dead letter was chosen. Tick at least one, then send them again.")
    count = deliveries.redeliver_selected(chosen)
    return pages.done(request, _told(count, Delivery.objects.filter(uid__in=chosen)))


@pages.form(MANAGE)
def redeliver_all(request: HttpRequest, uid: str = "") -> HttpResponse:
    """`/dead-letters/all` and `/endpoints/<uid>/redeliver-dead`: asks with the count, then does it."""
    endpoint = pages.one(Endpoint.living.all(), uid, what="endpoint") if uid else None
    if request.method == "POST":
        count = deliveries.redeliver_dead(endpoint)
        sent = Delivery.objects.filter(endpoint=endpoint) if endpoint else Delivery.objects.all()
        return pages.done(request, _told(count, sent), to=reverse("webhooks:dead-letters"))
    rows = Delivery.objects.filter(status=DeliveryStatus.DEAD, endpoint__deleted_at__isnull=True)
    count = (rows.filter(endpoint=endpoint) if endpoint else rows).count()
    asked = {
        "question": f"Send {count:,} dead letter{'' if count == 1 else 's'}{f' of {uid}' if uid else ''} again?",
        "detail": "Each keeps its event id and its bytes, and gets all attempts of its endpoint's policy anew.",
        "yes": f"Send {count:,} again",
        "back": pages.came_from(request),
    }
    return render(request, "confirm.html", asked)


def _told(count: int, sent: "QuerySet[Delivery]") -> str:
    """What happens now; what goes to an endpoint that is not in use waits."""
    held = sent.filter(status=DeliveryStatus.PENDING, endpoint__deleted_at__isnull=True).exclude(endpoint__status=EndpointStatus.ACTIVE)
    wait = " What goes to a paused or disabled endpoint waits until that is in use." if count and held.exists() else ""
    return f"{_letters(count)} on the way again.{wait}"


def _letters(count: int) -> str:
    return f"{count:,} dead letter {'is' if count == 1 else 's are'}".replace("letter s", "letters")
