"""`/api/v1/webhooks/deliveries`, `/replays` and `/stats`: what goes out and what became of it."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.doors.filters import PeriodFilter
from config.kernel.flow.errors import Conflict
from webhooks.api.endpoints import MANAGE, step
from webhooks.api.serializers.deliveries import DeliveryDetail, DeliveryOut, ReplayOut, RequeuedOut, RetryFailedIn, StatsOut
from webhooks.api.serializers.endpoints import TestIn, TestOut
from webhooks.enums import DeliveryStatus
from webhooks.models import Delivery
from webhooks.services import deliveries, endpoints, fanout, replay


class DeliveryFilter(PeriodFilter):
    """Filters of the list."""

    status = filters.MultipleChoiceFilter(choices=DeliveryStatus.choices)
    endpoint = filters.CharFilter(field_name="endpoint__uid")
    event = filters.CharFilter(field_name="event__uid")
    event_type = filters.CharFilter(field_name="event__type")

    class Meta:
        model = Delivery
        fields = ["status"]


class Deliveries(Collection):
    """Deliveries, newest first."""

    scopes = MANAGE
    serializer_class = DeliveryOut
    filterset_class = DeliveryFilter

    def get_queryset(self) -> QuerySet[Delivery]:
        return Delivery.objects.select_related("event", "endpoint", "batch").defer("event__body", "batch__body").order_by("-id")


class OneDelivery(View):
    """One delivery."""

    scopes = MANAGE

    @extend_schema(responses=DeliveryDetail, summary="Read a delivery with its attempts")
    def get(self, request: Request, delivery_id: str) -> Response:
        """Every attempt with request, reply, phases and error class."""
        return Response(DeliveryDetail(deliveries.find(delivery_id)).data)


class RetryDelivery(View):
    """Send a delivery again."""

    scopes = MANAGE

    @extend_schema(request=None, responses={202: DeliveryDetail}, summary="Send an ended delivery again")
    def post(self, request: Request, delivery_id: str) -> Response:
        """The same event id and the same bytes; a delivery that is still open cannot be sent again (409)."""
        delivery = deliveries.find(delivery_id)
        if not deliveries.redeliver(delivery):
            raise Conflict(f"The delivery is {delivery.status}; only one that has ended can be sent again.")
        return Response(DeliveryDetail(deliveries.find(delivery_id)).data, status=202)


class CancelDelivery(View):
    """Give a delivery up."""

    scopes = MANAGE

    @extend_schema(request=None, responses=DeliveryDetail, summary="Cancel an open delivery")
    def post(self, request: Request, delivery_id: str) -> Response:
        """No further attempt is made; one under way is recorded."""
        delivery = deliveries.find(delivery_id)
        if not deliveries.cancel(delivery):
            raise Conflict(f"The delivery is {delivery.status}; only an open one can be cancelled.")
        return Response(DeliveryDetail(deliveries.find(delivery_id)).data)


class RetryFailed(IdempotencyKey, View):
    """Send dead letters again."""

    scopes = MANAGE
    schema_errors = (404,)  # the endpoint that the body names

    @extend_schema(request=RetryFailedIn, responses={202: RequeuedOut}, summary="Send all dead letters again")
    def post(self, request: Request) -> Response:
        """Those of one endpoint, or of all."""
        sent = read(RetryFailedIn, request).validated_data
        endpoint = endpoints.find(sent["endpoint_id"]) if sent.get("endpoint_id") else None
        return Response({"requeued": deliveries.redeliver_dead(endpoint=endpoint, since=sent.get("since"))}, status=202)


class Stats(View):
    """Numbers over all deliveries that are kept."""

    schema_tags = ["deliveries"]
    scope = "metrics:view"

    @extend_schema(responses=StatsOut, summary="Statistics of deliveries")
    def get(self, request: Request) -> Response:
        """Each equals a count of rows."""
        return Response(endpoints.stats())


class TestEvent(IdempotencyKey, View):
    """A test event for everyone who subscribed to it."""

    schema_tags = ["deliveries"]
    scopes = MANAGE

    @extend_schema(request=TestIn, responses={202: TestOut}, summary="Send a test event")
    def post(self, request: Request) -> Response:
        """An empty body sends `system.status` with `{"test": true}`."""
        return Response(send_test_event(request), status=202)


def send_test_event(request: Request) -> dict[str, Any]:
    """The deed behind all three test routes (C-07)."""
    sent = read(TestIn, request).validated_data
    found = fanout.trigger_test(sent.get("event", "system.status"), sent.get("data"))
    return {"event_id": found.event.uid, "delivery_ids": found.delivery_ids}


class OneReplay(View):
    """One replay."""

    scopes = MANAGE

    @extend_schema(responses=ReplayOut, summary="Read a replay and its progress")
    def get(self, request: Request, replay_id: str) -> Response:
        """`done` of `total`."""
        return Response(ReplayOut(replay.find(replay_id)).data)


class StepReplay(View):
    """Moves a replay to another state. `deed` is the service's, `verb` its name in a refusal."""

    scopes = MANAGE
    deed: Callable[..., bool]
    verb = ""

    @extend_schema(request=None, responses=ReplayOut)
    def post(self, request: Request, replay_id: str) -> Response:
        """A step that its state does not allow answers 409."""
        found = replay.find(replay_id)
        if not type(self).deed(found):
            raise Conflict(f"The replay is {found.status}; it cannot {self.verb} now.")
        return Response(ReplayOut(found).data)


@step("Pause a replay", "What was sent stays sent; the rest waits until it is resumed.")
class PauseReplay(StepReplay):
    """Pause a replay."""

    deed, verb = replay.pause, "pause"


@step("Resume a paused replay", "It goes on where it was.")
class ResumeReplay(StepReplay):
    """Resume a replay."""

    deed, verb = replay.resume, "resume"


@step("Cancel a replay", "What was sent stays sent; the rest is not sent any more.")
class CancelReplay(StepReplay):
    """Cancel a replay."""

    deed, verb = replay.cancel, "cancel"
