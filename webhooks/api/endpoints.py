"""`/api/v1/webhooks/endpoints`: who hears from us."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.kernel.flow.errors import NotFound
from config.kernel.models import Event
from webhooks.api.serializers.deliveries import CountOut, ReplayIn, ReplayOut
from webhooks.api.serializers.endpoints import (
    EnableIn,
    EndpointDetail,
    EndpointIn,
    EndpointMade,
    EndpointOut,
    ExplainOut,
    ReasonIn,
    SecretIn,
    SecretOut,
    TestIn,
    TestOut,
)
from webhooks.enums import EndpointStatus
from webhooks.models import Endpoint, Replay
from webhooks.services import endpoints, fanout, replay

MANAGE = {
    "GET": "webhooks:view",
    "POST": "webhooks:manage",
    "PUT": "webhooks:manage",
    "PATCH": "webhooks:manage",
    "DELETE": "webhooks:manage",
}


def caller(request: Request) -> User | None:
    """Who asks, where rows name an owner."""
    return request.user if isinstance(request.user, User) else None


class EndpointFilter(filters.FilterSet):
    """Filters of the list."""

    status = filters.ChoiceFilter(choices=EndpointStatus.choices)
    url = filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Endpoint
        fields = ["status", "url"]


class Endpoints(IdempotencyKey, Collection):
    """All living endpoints, newest first."""

    scopes = MANAGE
    throttle_kind = "manage"
    serializer_class = EndpointOut
    filterset_class = EndpointFilter

    def get_queryset(self) -> QuerySet[Endpoint]:
        return Endpoint.living.order_by("-id")

    @extend_schema(request=EndpointIn, responses={201: EndpointMade}, summary="Register an endpoint")
    def post(self, request: Request) -> Response:
        """Register an endpoint; the answer holds its secret, this once."""
        made = endpoints.register(owner=caller(request), **read(EndpointIn, request).deed_fields())
        return Response(EndpointMade(made.endpoint, context={"secret": made.secret}).data, status=201)


class OneEndpoint(View):
    """One endpoint."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(responses=EndpointDetail, summary="Read an endpoint")
    def get(self, request: Request, endpoint_id: str) -> Response:
        """Its settings, breaker, last delivery and counters."""
        return Response(EndpointDetail(endpoints.find(endpoint_id)).data)

    @extend_schema(request=EndpointIn, responses=EndpointDetail, summary="Replace an endpoint")
    def put(self, request: Request, endpoint_id: str) -> Response:
        """What is left out goes back to its default; the secret stays unless one is sent."""
        return Response(EndpointDetail(replace(endpoints.find(endpoint_id), request)).data)

    @extend_schema(request=EndpointIn(partial=True), responses=EndpointDetail, summary="Change an endpoint")
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """What is left out stays."""
        fields = read(EndpointIn, request, partial=True).deed_fields()
        fields.pop("uid", None)
        return Response(EndpointDetail(endpoints.update(endpoints.find(endpoint_id), **fields)).data)

    @extend_schema(responses={204: None}, summary="Delete an endpoint")
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """Its open deliveries are cancelled; its history is kept until its retention ends."""
        endpoints.delete(endpoints.find(endpoint_id))
        return Response(status=204)


def replace(endpoint: Endpoint, request: Request) -> Endpoint:
    """PUT: what was not sent goes back to the model's default."""
    sent = read(EndpointIn, request).deed_fields()
    sent.pop("uid", None)
    return endpoints.update(endpoint, **{**endpoints.defaults(), **sent})


class TestEndpoint(View):
    """A test event for one endpoint, whatever it subscribed to."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(request=TestIn, responses={202: TestOut}, summary="Send a test event to an endpoint")
    def post(self, request: Request, endpoint_id: str) -> Response:
        """`system.status` with `{"test": true}` unless the body says otherwise."""
        sent = read(TestIn, request).validated_data
        delivery = endpoints.send_test(endpoints.find(endpoint_id), type=sent.get("event", "system.status"), data=sent.get("data"))
        return Response({"event_id": delivery.event.uid, "delivery_ids": [delivery.uid]}, status=202)


class RotateSecret(View):
    """A new secret; the old one keeps signing beside it for a while."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(request=SecretIn, responses=SecretOut, summary="Rotate the secret of an endpoint")
    def post(self, request: Request, endpoint_id: str) -> Response:
        """The answer holds the new secret, this once."""
        endpoint, sent = endpoints.find(endpoint_id), read(SecretIn, request).validated_data
        secret = endpoints.rotate_secret(endpoint, secret=sent.get("secret", ""), overlap_hours=sent.get("overlap_hours"))
        return Response({"id": endpoint.uid, "secret": secret})


class StepEndpoint(View):
    """Moves an endpoint to another state. `deed` is the service's, `takes` the shape of the words it is given."""

    scopes = MANAGE
    throttle_kind = "manage"
    deed: Callable[..., bool]
    takes: type[Serializer[Any]] | None = None

    @extend_schema(request=None, responses=EndpointDetail)
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Where it was in that state already, nothing happens."""
        endpoint = endpoints.find(endpoint_id)
        words = read(self.takes, request).validated_data if self.takes else {}
        type(self).deed(endpoint, **words)
        return Response(EndpointDetail(endpoint).data)


def step(summary: str, description: str, takes: Any = None) -> Any:
    """How the API's document names one step."""
    return extend_schema_view(post=extend_schema(request=takes, summary=summary, description=description))


@step("Pause an endpoint", "Deliveries wait until it is resumed; nothing is lost.", ReasonIn)
class PauseEndpoint(StepEndpoint):
    """Hold deliveries back."""

    deed, takes = endpoints.pause, ReasonIn


@step("Resume a paused endpoint", "What waited is sent now.")
class ResumeEndpoint(StepEndpoint):
    """Let deliveries go again."""

    deed = endpoints.resume


@step("Disable an endpoint", "Events it would have got are noted as skipped.", ReasonIn)
class DisableEndpoint(StepEndpoint):
    """Take an endpoint out of use."""

    deed, takes = endpoints.disable, ReasonIn


@step("Enable a disabled endpoint", "With `catch_up`, what was skipped while it was disabled is sent now.", EnableIn)
class EnableEndpoint(StepEndpoint):
    """Put a disabled endpoint back to use."""

    deed, takes = endpoints.enable, EnableIn


class ExplainEvent(View):
    """Would this event reach this endpoint?"""

    scopes = MANAGE

    @extend_schema(
        responses=ExplainOut,
        summary="Explain why an event does or does not reach an endpoint",
        parameters=[OpenApiParameter("event", str, required=True, description="The id of a stored event.")],
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """The subscription, the state and each part of the filter with its value."""
        event = Event.objects.filter(uid=request.query_params.get("event", "")).first()
        if event is None:
            raise NotFound("There is no such event. Name one with ?event=evt_…")
        found = fanout.explain(event, endpoints.find(endpoint_id))
        return Response({"would_deliver": found.would_deliver, "reason": found.reason, "detail": found.detail})


class Replays(IdempotencyKey, Collection):
    """Replays of one endpoint."""

    scopes = MANAGE
    serializer_class = ReplayOut

    def get_queryset(self) -> QuerySet[Replay]:
        if getattr(self, "swagger_fake_view", False):
            return Replay.objects.none()
        return Replay.objects.filter(endpoint=endpoints.find(self.kwargs["endpoint_id"])).select_related("endpoint")

    @extend_schema(request=ReplayIn, responses={202: ReplayOut}, summary="Replay past events to an endpoint")
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Starts a replay; it goes on after a restart and shows its progress."""
        sent = read(ReplayIn, request).validated_data
        started = replay.start(endpoints.find(endpoint_id), requested_by=request.user.get_username(), **sent)
        return Response(ReplayOut(started).data, status=202)


class PreviewReplay(View):
    """How many events a replay would send."""

    scopes = MANAGE

    @extend_schema(request=ReplayIn, responses=CountOut, summary="Count what a replay would send")
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Nothing is sent."""
        sent = dict(read(ReplayIn, request).validated_data)
        sent.pop("per_minute", None)
        return Response({"count": replay.preview(endpoints.find(endpoint_id), **sent)})
