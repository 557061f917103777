"""The pages of services: the list, one service, and what may be asked of one."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from config.acts.plugins.controllers import controllers
from config.kernel.desk import permissions
from config.kernel.flow.errors import InvalidInput
from config.look import pages
from healing.dashboard import ACT, KEEP, RUN, SEE
from healing.enums import Health, HealthKind, ServiceState
from healing.models import Service
from healing.services import asking, services, standing

CALLER = "dashboard"
TONES = {"running": "ok", "starting": "info", "stopped": "off", "failed": "bad", "unknown": "held"}
HEALTH_TONES = {"healthy": "ok", "critical": "bad", "unknown": "held", "disabled": "off"}
EXPORTED = {
    "id": lambda service: service.uid,
    "name": lambda service: service.name,
    "controller": lambda service: service.controller,
    "status": lambda service: service.status,
    "health": lambda service: service.health,
    "instances": lambda service: service.instances,
    "detail": lambda service: service.status_detail,
    "checked_at": lambda service: service.checked_at,
}


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/services`"""
    rows = _filtered(request)
    file = pages.export(request, rows, EXPORTED, name="services")
    if file is not None:
        return file
    page = pages.listed(request, rows)
    shown = {
        "page": page,
        "lines": [_line(one) for one in page.rows],
        "states": ServiceState.choices,
        "conditions": Health.choices,
        "is_filtered": pages.is_filtered(request, "status", "health", "q"),
        "may_keep": permissions.may(request.user, KEEP),
    }
    return pages.draw(request, "healing/services.html", shown)


def _filtered(request: HttpRequest) -> "QuerySet[Service]":
    rows: QuerySet[Service] = Service.living.defer("params").order_by("name")
    for column in ("status", "health"):
        if wanted := request.GET.get(column, ""):
            rows = rows.filter(**{column: wanted})
    if asked := request.GET.get("q", "").strip()[:100]:
        rows = rows.filter(Q(name__icontains=asked) | Q(description__icontains=asked))
    return rows


def _line(service: Service) -> dict[str, Any]:
    """One service with what its words are drawn with."""
    plugin = controllers.all().get(service.controller)
    return {
        "service": service,
        "tone": TONES[service.status],
        "health_tone": HEALTH_TONES[service.health],
        "health_label": "not checked" if service.health_kind == HealthKind.NONE else service.health,
        "controller": plugin.title if plugin else service.controller,
        "can_scale": plugin is not None and plugin.can_scale,
    }


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/services/<uid>`"""
    service = _one(uid)
    may_act = permissions.may(request.user, ACT)
    shown = {
        **_line(service),
        "below": list(service.dependencies.filter(deleted_at__isnull=True)),
        "above": list(service.dependents.filter(deleted_at__isnull=True)),
        "params": services.shown_params(service),
        "calls": asking.recent(service),
        "is_checked": service.health_kind != HealthKind.NONE,
        "may_act": may_act,
        "may_run": may_act and permissions.may(request.user, RUN),
        "may_keep": permissions.may(request.user, KEEP) and request.user.is_staff,
    }
    return pages.draw(request, "healing/service.html", shown)


@pages.deed(ACT)
def check(request: HttpRequest, uid: str) -> HttpResponse:
    """`/services/<uid>/check`"""
    service = _one(uid)
    return pages.done(request, f"{service.name} was looked at. {standing.check(service).sentence}")


@pages.deed(
    ACT,
    question=lambda uid: f"Restart {_one(uid).name}?",
    yes="Restart",
    detail="It answers nobody until it is back. Its processes are new ones then.",
)
def restart(request: HttpRequest, uid: str) -> HttpResponse:
    """`/services/<uid>/restart`"""
    service = _one(uid)
    call = asking.restart(service, owner=request.user.get_username(), caller=CALLER)
    return pages.done(
        request, f"A restart of {service.name} is asked for, as {call.uid}. What becomes of it is shown below.", to=_page(uid)
    )


@pages.deed(ACT)
def scale(request: HttpRequest, uid: str) -> HttpResponse:
    """`/services/<uid>/scale`"""
    service, asked = _one(uid), request.POST.get("instances", "").strip()
    if not (asked.isascii() and asked.isdigit() and len(asked) < 6):
        raise InvalidInput("Write how many instances there shall be, as a whole number.")
    call = asking.scale(service, owner=request.user.get_username(), caller=CALLER, instances=int(asked))
    return pages.done(request, f"{asked} instances of {service.name} are asked for, as {call.uid}.", to=_page(uid))


def _one(uid: str) -> Service:
    found: Service = pages.one(Service.living.all(), uid, what="service")
    return found


def _page(uid: str) -> str:
    return reverse("healing:service", args=[uid])
