"""`/api/v1/events` and `/api/v1/webhooks/event-types`: what happened, and what may happen."""

from typing import Any

import orjson
from django.db.models import Count, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config.doors.api import Collection, View
from config.doors.bodies import read
from config.doors.filters import PeriodFilter
from config.kernel.desk import options
from config.kernel.flow import events
from config.kernel.flow.errors import NotFound, TooLarge
from config.kernel.models import Event, EventType
from webhooks.api.serializers.events import EventBatchIn, EventBatchOut, EventDetail, EventIn, EventOut, EventTypeOut
from webhooks.services import event_types

# One of each for all requests: making a serializer's fields anew takes longer than checking or telling an event.
CHECKER, TELLER = EventIn(), EventDetail()
PUBLISH = {"GET": "webhooks:view", "POST": "events:publish"}


class EventFilter(PeriodFilter):
    """Filters of the list."""

    type = filters.CharFilter()
    source = filters.CharFilter()
    subject = filters.CharFilter()
    correlation_id = filters.CharFilter()
    cause = filters.CharFilter(field_name="cause_uid")

    class Meta:
        model = Event
        fields = ["type"]


class Events(Collection):
    """Events, newest first, with the number of deliveries each caused."""

    scopes = PUBLISH
    serializer_class = EventOut
    filterset_class = EventFilter

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.defer("body").annotate(delivery_count=Count("deliveries")).order_by("-id")

    @extend_schema(
        request=EventIn,
        responses={202: EventDetail, 200: OpenApiResponse(EventDetail, description="This id was published before; here is the first.")},
        summary="Publish an event",
    )
    def post(self, request: Request) -> Response:
        """Stored, and delivered to everyone who subscribed. The same `id` again answers 200 with the first."""
        if _is_large(request):
            raise TooLarge(_too_large())
        done = events.publish_draft(draft(CHECKER.run_validation(request.data), request))
        if done.is_new:
            done.event.delivery_count = 0  # type: ignore[union-attr]  # it is not routed yet: nothing to count
        return Response(TELLER.to_representation(done.event), status=202 if done.is_new else 200)


def _is_large(request: Request) -> bool:
    """Whether the whole body is larger than a single event may be."""
    return int(request.META.get("CONTENT_LENGTH") or 0) > int(options.get("EVENT_MAX_BYTES"))


def _too_large() -> str:
    return f"The event is larger than {options.get('EVENT_MAX_BYTES')} bytes. Send a reference to the data instead."


def draft(sent: dict[str, Any], request: Request) -> events.Draft:
    """What a program sent, as a draft."""
    source = f"program:{request.user.get_username()}"[:80]
    return events.Draft(sent["type"], sent["data"], uid=sent.get("id", ""), subject=sent.get("subject", ""), source=source)


class EventBatch(View):
    """Many events at once."""

    scope = "events:publish"

    @extend_schema(request=EventBatchIn, responses={202: EventBatchOut}, summary="Publish up to 1,000 events")
    def post(self, request: Request) -> Response:
        """A result for each, in order; a refused one stops none of the others."""
        sent = read(EventBatchIn, request).validated_data["events"]
        is_large = _is_large(request)
        checked = [_checked(one, request, is_large=is_large) for one in sent]
        done = iter(events.publish_many([one for one in checked if isinstance(one, events.Draft)]))
        results = [_result(next(done)) if isinstance(one, events.Draft) else _refused(one) for one in checked]
        counts = {status: sum(result["status"] == status for result in results) for status in ("created", "duplicate", "refused")}
        answer = {"created": counts["created"], "duplicates": counts["duplicate"], "refused": counts["refused"], "results": results}
        return Response(answer, status=202)


def _result(done: events.Published) -> dict[str, Any]:
    if done.event is None:
        return {"id": None, "status": "refused", "errors": list(done.problems)}
    return {"id": done.event.uid, "status": "created" if done.is_new else "duplicate", "errors": []}


def _checked(one: dict[str, Any], request: Request, *, is_large: bool) -> events.Draft | ValidationError:
    """The draft, or what is wrong with it. `is_large`: the batch is, so each of its events is measured."""
    try:
        if is_large and len(orjson.dumps(one)) > options.get("EVENT_MAX_BYTES"):
            raise ValidationError({"data": [_too_large()]})
        return draft(CHECKER.run_validation(one), request)
    except ValidationError as error:
        return error


def _refused(error: ValidationError) -> dict[str, Any]:
    found: Any = error.detail
    sentences = [f"{field}: {' '.join(str(part) for part in parts)}" for field, parts in found.items()]
    return {"id": None, "status": "refused", "errors": sentences}


class OneEvent(View):
    """One event."""

    scopes = PUBLISH

    @extend_schema(responses=EventDetail, summary="Read an event with its data")
    def get(self, request: Request, event_id: str) -> Response:
        """Kept for EVENT_RETENTION_DAYS."""
        return Response(EventDetail(find_event(event_id)).data)


class RouteAgain(View):
    """Let every subscriber hear an event once more."""

    scope = "webhooks:manage"

    @extend_schema(request=None, responses={202: EventDetail}, summary="Route an event again")
    def post(self, request: Request, event_id: str) -> Response:
        """What was done for it already is not done twice."""
        event = find_event(event_id)
        events.reroute(event)
        return Response(EventDetail(find_event(event_id)).data, status=202)


def find_event(event_id: str) -> Event:
    """The event. Raises NotFound."""
    found = Event.objects.filter(uid=event_id).first()
    if found is None:
        raise NotFound(f"There is no event {event_id!r}; events are removed when their retention ends.")
    return found


class EventTypes(Collection):
    """Every name that events may have."""

    scopes = {"GET": "webhooks:view", "POST": "webhooks:manage"}
    serializer_class = EventTypeOut
    filterset_fields = ["origin"]

    def get_queryset(self) -> QuerySet[EventType]:
        return EventType.objects.order_by("name")

    @extend_schema(request=EventTypeOut, responses={201: EventTypeOut}, summary="Add an event type of your own")
    def post(self, request: Request) -> Response:
        """With a JSON Schema, events that do not fit are refused when they are published."""
        return Response(EventTypeOut(event_types.create(**read(EventTypeOut, request).validated_data)).data, status=201)


class OneEventType(View):
    """One event type."""

    scopes = {"GET": "webhooks:view", "PUT": "webhooks:manage", "DELETE": "webhooks:manage"}

    @extend_schema(responses=EventTypeOut, summary="Read an event type")
    def get(self, request: Request, name: str) -> Response:
        """Its schema and an example."""
        return Response(EventTypeOut(event_types.find(name)).data)

    @extend_schema(request=EventTypeOut, responses=EventTypeOut, summary="Change an event type of your own")
    def put(self, request: Request, name: str) -> Response:
        """Types of our own catalogue cannot be changed (409)."""
        sent = dict(read(EventTypeOut, request).validated_data)
        sent.pop("name")
        return Response(EventTypeOut(event_types.update(event_types.find(name), **sent)).data)

    @extend_schema(responses={204: None}, summary="Remove an event type of your own")
    def delete(self, request: Request, name: str) -> Response:
        """Refused (409) while an endpoint subscribes to it by name, and for our own catalogue."""
        event_types.delete(event_types.find(name))
        return Response(status=204)
