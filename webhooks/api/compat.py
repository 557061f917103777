"""The routes that the requirements print, exactly as written. Thin: each calls the same deed as the canonical API."""

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import Body, Items, read
from config.kernel.flow import clock
from config.kernel.models import Event
from webhooks.api.deliveries import send_test_event
from webhooks.api.endpoints import MANAGE, caller, replace
from webhooks.api.serializers.deliveries import StatsOut
from webhooks.api.serializers.endpoints import EndpointDetail, EndpointIn, EndpointMade, EndpointOut, TestIn, TestOut
from webhooks.api.serializers.events import EventOut
from webhooks.models import Endpoint
from webhooks.services import endpoints

COMPAT = ["compatibility"]
# S2 waits between attempts: at once, then 1, 5, 15 minutes and an hour after the one before.
S2_SCHEDULE = [0, 60, 300, 900, 3600]


# --- S0: /api/autonomous ----------------------------------------------------------------------
class AutonomousWebhooks(Collection):
    """All living endpoints, newest first."""

    schema_tags = COMPAT
    scopes = MANAGE
    serializer_class = EndpointOut

    def get_queryset(self) -> QuerySet[Endpoint]:
        return Endpoint.living.order_by("-id")


class AutonomousWebhookIn(EndpointIn):
    """The id stands in the path."""

    id = None  # type: ignore[assignment]


class AutonomousWebhook(View):
    """`/api/autonomous/webhooks/{webhook_id}`: the client chooses the id."""

    schema_tags = COMPAT
    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(request=AutonomousWebhookIn, responses={201: EndpointMade}, summary="Register an endpoint under your own id")
    def post(self, request: Request, webhook_id: str) -> Response:
        """An id that is taken answers 409; a missing secret is made and shown this once."""
        fields = read(AutonomousWebhookIn, request).deed_fields()
        made = endpoints.register(owner=caller(request), uid=webhook_id, **fields)
        return Response(EndpointMade(made.endpoint, context={"secret": made.secret}).data, status=201)

    @extend_schema(responses=EndpointDetail, summary="Read an endpoint with its status")
    def get(self, request: Request, webhook_id: str) -> Response:
        """Settings, breaker, last delivery, counters."""
        return Response(EndpointDetail(endpoints.find(webhook_id)).data)

    @extend_schema(request=AutonomousWebhookIn, responses=EndpointDetail, summary="Replace an endpoint")
    def put(self, request: Request, webhook_id: str) -> Response:
        """What is left out goes back to its default; the secret stays unless one is sent."""
        return Response(EndpointDetail(replace(endpoints.find(webhook_id), request)).data)

    @extend_schema(responses={204: None}, summary="Delete an endpoint")
    def delete(self, request: Request, webhook_id: str) -> Response:
        """Nothing pending is sent any more."""
        endpoints.delete(endpoints.find(webhook_id))
        return Response(status=204)


class AutonomousStats(View):
    """`GET /api/autonomous/webhooks/system/stats`."""

    schema_tags = COMPAT
    scope = "metrics:view"

    @extend_schema(responses=StatsOut, summary="Statistics of deliveries")
    def get(self, request: Request) -> Response:
        """Over all that is kept."""
        return Response(endpoints.stats())


class AutonomousTest(View):
    """`POST /api/autonomous/webhooks/test` and `POST /webhooks/test`."""

    schema_tags = COMPAT
    scopes = MANAGE

    @extend_schema(request=TestIn, responses={202: TestOut}, summary="Send a test event")
    def post(self, request: Request) -> Response:
        """An empty body sends `system.status` with `{"test": true}`."""
        return Response(send_test_event(request), status=202)


class ShortTest(AutonomousTest):
    """`POST /webhooks/test`: another address of the same."""

    @extend_schema(operation_id="short_test_create", request=TestIn, responses={202: TestOut}, summary="Send a test event")
    def post(self, request: Request) -> Response:
        """An empty body sends `system.status` with `{"test": true}`."""
        return super().post(request)


class AutonomousEvents(Collection):
    """Events, newest first, with the number of deliveries each caused."""

    schema_tags = COMPAT
    scope = "webhooks:view"
    serializer_class = EventOut

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.defer("body").annotate(delivery_count=Count("deliveries")).order_by("-id")


# --- S2: /api/webhooks ------------------------------------------------------------------------
class RegisterIn(Body):
    """A URL, what it wants to hear, and the secret to sign with."""

    url = serializers.CharField(max_length=2000)
    events = Items(child=serializers.CharField(max_length=128), allow_empty=False, max_length=200)
    secret = serializers.CharField(max_length=300, trim_whitespace=False)


class RegisterOut(serializers.Serializer[Any]):
    """The id we made."""

    success = serializers.BooleanField()
    webhookId = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())


class ListedOut(serializers.Serializer[Any]):
    """One endpoint, in camelCase."""

    webhookId = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    createdAt = serializers.CharField()
    active = serializers.BooleanField()


class WebhooksData(serializers.Serializer[Any]):
    """The list."""

    webhooks = ListedOut(many=True)


class WebhooksOut(serializers.Serializer[Any]):
    """The list, wrapped."""

    success = serializers.BooleanField()
    data = WebhooksData()  # type: ignore[assignment]


class DeletedOut(serializers.Serializer[Any]):
    """Said once; the second time is a 404."""

    success = serializers.BooleanField()
    message = serializers.CharField()


class Wrapped(View):
    """Errors of these routes say `success: false` and `error` beside our own fields."""

    schema_tags = COMPAT

    def handle_exception(self, exc: Exception) -> Response:
        answer = super().handle_exception(exc)
        if isinstance(answer.data, dict):
            answer.data = {"success": False, "error": answer.data.get("detail", ""), **answer.data}
        return answer


class RegisterWebhook(IdempotencyKey, Wrapped):
    """`POST /api/webhooks/register`."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(request=RegisterIn, responses={201: RegisterOut}, summary="Register an endpoint with a secret of yours")
    def post(self, request: Request) -> Response:
        """Five attempts: at once, then 1, 5, 15 minutes and an hour after the one before."""
        sent = read(RegisterIn, request).validated_data
        made = endpoints.register(owner=caller(request), retry_strategy="schedule", retry_schedule=S2_SCHEDULE, max_attempts=5, **sent)
        answer = {"success": True, "webhookId": made.endpoint.uid, "url": made.endpoint.url, "events": made.endpoint.events}
        return Response(answer, status=201)


class ListWebhooks(Wrapped):
    """`GET /api/webhooks`."""

    scopes = MANAGE

    @extend_schema(responses=WebhooksOut, summary="List endpoints")
    def get(self, request: Request) -> Response:
        """Those registered by the other routes too."""
        return Response({"success": True, "data": {"webhooks": [_listed(one) for one in Endpoint.living.order_by("-id")]}})


class DeleteWebhook(Wrapped):
    """`DELETE /api/webhooks/{webhookId}`."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(responses={200: DeletedOut}, summary="Delete an endpoint")
    def delete(self, request: Request, webhook_id: str) -> Response:
        """200 with a sentence, not 204."""
        endpoints.delete(endpoints.find(webhook_id))
        return Response({"success": True, "message": "Webhook deleted successfully"})


def _listed(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "webhookId": endpoint.uid,
        "url": endpoint.url,
        "events": endpoint.events,
        "createdAt": clock.text(endpoint.created_at),
        "active": endpoint.is_active,
    }
