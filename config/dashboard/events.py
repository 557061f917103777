"""The pages of events: the live list, an event's story, publishing a test event, routing one again."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from config.dashboard import story
from config.dashboard.forms import PublishForm
from config.kernel.flow import events
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import Event, EventType, RouteFailure
from config.look import pages

STATES = (("waiting", "Waiting for routing"), ("failed", "Routing failed"), ("stopped", "Stored, not routed"))
BODY_SHOWN_BYTES = 262_144
_FAILURES = RouteFailure.objects.filter(event=OuterRef("pk"))
EXPORTED = {
    "id": lambda event: event.uid,
    "type": lambda event: event.type,
    "subject": lambda event: event.subject,
    "source": lambda event: event.source,
    "occurred_at": lambda event: event.occurred_at,
    "stored_at": lambda event: event.created_at,
    "routed_at": lambda event: event.routed_at,
    "correlation_id": lambda event: event.correlation_id,
    "cause": lambda event: event.cause_uid,
}


@pages.page("webhooks:view")
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/events`"""
    rows = _filtered(request)
    shown = {
        "states": STATES,
        "types": EventType.objects.order_by("name").values_list("name", flat=True)[:500],
    }
    return pages.list_page(
        request,
        "dashboard/events.html",
        rows,
        EXPORTED,
        shown,
        filters=("type", "source", "subject", "correlation", "since", "until", "state"),
    )


def _filtered(request: HttpRequest) -> "QuerySet[Event]":
    rows: QuerySet[Event] = Event.objects.defer("body").annotate(has_failed=Exists(_FAILURES))
    asked = {name: request.GET.get(name, "").strip()[:200] for name in ("type", "source", "subject", "correlation", "state")}
    if asked["type"].endswith("*"):
        rows = rows.filter(type__startswith=asked["type"][:-1])
    elif asked["type"]:
        rows = rows.filter(type=asked["type"])
    if asked["source"]:
        rows = rows.filter(source__startswith=asked["source"])
    if asked["subject"]:
        rows = rows.filter(subject__startswith=asked["subject"])
    if asked["correlation"]:
        rows = rows.filter(correlation_id=asked["correlation"])
    return _in_state(_in_time(rows, pages.since(request), pages.since(request, "until")), asked["state"])


def _in_time(rows: "QuerySet[Event]", since: datetime | None, until: datetime | None) -> "QuerySet[Event]":
    if since:
        rows = rows.filter(created_at__gte=since)
    return rows.filter(created_at__lt=until) if until else rows


def _in_state(rows: "QuerySet[Event]", state: str) -> "QuerySet[Event]":
    if state == "waiting":
        return rows.filter(routed_at__isnull=True)
    if state == "failed":
        return rows.filter(Exists(_FAILURES))
    return rows.exclude(route_note="") if state == "stopped" else rows


@pages.page("webhooks:view")
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/events/<uid>`: everything that is known of one event, as one time line."""
    event = pages.one(Event, uid, what="event")
    shown = {"event": event, "told": story.tell(event), "is_drawn": len(event.body) <= BODY_SHOWN_BYTES}
    return pages.draw(request, "dashboard/event.html", shown)


@pages.page("webhooks:view")
def body(request: HttpRequest, uid: str) -> HttpResponse:
    """`/events/<uid>/body`: the envelope, byte by byte as it is signed and sent."""
    event = pages.one(Event, uid, what="event")
    response = HttpResponse(bytes(event.body), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{event.uid}.json"'
    return response


@pages.form("events:publish")
def publish(request: HttpRequest) -> HttpResponse:
    """`/events/publish`: a test event, its data prefilled with the example of its type."""
    form = PublishForm(request.POST or None, initial=_example(request.GET.get("type", "")))
    if request.method == "POST" and form.is_valid():
        event = _published(request, form)
        if event is not None:
            story_url = reverse("dashboard:event", args=[event.uid])
            return pages.done(request, f"The event {event.type} is published as {event.uid}.", to=story_url)
    return pages.draw(request, "dashboard/publish.html", {"form": form, "described": _described(form)})


def _published(request: HttpRequest, form: PublishForm) -> Event | None:
    """The event, or None with the sentences against it on the form."""
    typed = form.cleaned_data
    try:
        return events.publish(
            typed["type"], data=typed["payload"], subject=typed["subject"], source=f"program:{request.user.get_username()}"
        )
    except InvalidInput as error:
        for sentence in error.fields.get("data") or [error.message]:
            form.add_error("payload", sentence)
        return None


def _example(name: str) -> dict[str, Any]:
    found = EventType.objects.filter(name=name).first()
    return {"type": name, "payload": (found.example if found else None) or {}}


def _described(form: PublishForm) -> EventType | None:
    return EventType.objects.filter(name=form["type"].value() or "").first()


@pages.deed("webhooks:manage")
def reroute(request: HttpRequest, uid: str) -> HttpResponse:
    """`/events/<uid>/reroute`"""
    event = pages.one(Event, uid, what="event")
    events.reroute(event)
    return pages.done(request, f"The event {uid} is being routed again. Who has taken it already does nothing twice.")
