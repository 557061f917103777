"""`/api/v1/healing/services`: what is looked after, how it stands, and asking for a restart or another number."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.acts.running import invocations
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.doors.calls import AskedOut
from healing.api.serializers import ScaleIn, ServiceIn, ServiceOut, StandingOut
from healing.enums import Health, ServiceState
from healing.models import Service
from healing.services import asking, services, standing

SEE, ACT, KEEP = "healing:view", "healing:execute", "system:admin"
CALLER = "api"


class ServiceFilter(filters.FilterSet):
    """Filters of the list."""

    status = filters.MultipleChoiceFilter(choices=ServiceState.choices)
    health = filters.MultipleChoiceFilter(choices=Health.choices)
    controller = filters.CharFilter()
    name = filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Service
        fields = ["status", "health", "controller", "name"]


class Services(IdempotencyKey, Collection):
    """All services, by name."""

    scopes = {"GET": SEE, "POST": KEEP}
    schema_tags = ["services"]
    serializer_class = ServiceOut
    filterset_class = ServiceFilter

    def get_queryset(self) -> QuerySet[Service]:
        return Service.living.prefetch_related("dependencies").order_by("name")

    @extend_schema(request=ServiceIn, responses={201: ServiceOut}, summary="Put a service under watch")
    def post(self, request: Request) -> Response:
        """It is looked at from now on. Nothing is done to it unless `may_be_restarted` or `may_be_scaled` is set."""
        return Response(ServiceOut(services.register(**read(ServiceIn, request).validated_data)).data, status=201)


class OneService(View):
    """One service, by id or name."""

    scopes = {"GET": SEE, "PATCH": KEEP, "DELETE": KEEP}
    schema_tags = ["services"]

    @extend_schema(responses=ServiceOut, summary="Read a service")
    def get(self, request: Request, service_id: str) -> Response:
        """Its settings, and how it stood when last looked at."""
        return Response(ServiceOut(services.find(service_id)).data)

    @extend_schema(request=ServiceIn(partial=True), responses=ServiceOut, summary="Change a service")
    def patch(self, request: Request, service_id: str) -> Response:
        """What is left out stays; `params` are replaced as a whole, but for masked secrets."""
        fields = read(ServiceIn, request, partial=True).validated_data
        return Response(ServiceOut(services.update(services.find(service_id), **fields)).data)

    @extend_schema(responses={204: None}, summary="Watch a service no more")
    def delete(self, request: Request, service_id: str) -> Response:
        """It goes on running; 409 when another service stands on it."""
        services.delete(services.find(service_id))
        return Response(status=204)


class ServiceStatus(View):
    """How a service stands."""

    scopes = {"GET": SEE, "POST": ACT}
    schema_tags = ["services"]

    @extend_schema(responses=StandingOut, summary="Read how a service stands")
    def get(self, request: Request, service_id: str) -> Response:
        """As it was when last looked at."""
        return Response(StandingOut(services.find(service_id)).data)

    @extend_schema(request=None, responses=StandingOut, summary="Look at a service now")
    def post(self, request: Request, service_id: str) -> Response:
        """Asks its controller and its health check, and answers what they say."""
        service = services.find(service_id)
        standing.check(service)
        return Response(StandingOut(service).data)


class RestartService(IdempotencyKey, View):
    """Ask for a restart."""

    scopes = {"POST": ACT}
    schema_tags = ["services"]

    @extend_schema(request=None, responses={202: AskedOut}, summary="Restart a service")
    def post(self, request: Request, service_id: str) -> Response:
        """Needs actions:execute_standard too. Refused, as the call will say, unless `may_be_restarted` is set."""
        invocations.ensure_asked_by(request, invocations.find_action(asking.RESTART))
        row = asking.restart(services.find(service_id), owner=request.user.get_username(), caller=CALLER)
        return Response(AskedOut(row).data, status=202)


class ScaleService(IdempotencyKey, View):
    """Ask for another number of instances."""

    scopes = {"POST": ACT}
    schema_tags = ["services"]

    @extend_schema(request=ScaleIn, responses={202: AskedOut}, summary="Scale a service")
    def post(self, request: Request, service_id: str) -> Response:
        """Needs actions:execute_standard too. Refused, as the call will say, unless `may_be_scaled` is set."""
        invocations.ensure_asked_by(request, invocations.find_action(asking.SCALE))
        wanted = read(ScaleIn, request).validated_data
        row = asking.scale(services.find(service_id), owner=request.user.get_username(), caller=CALLER, **wanted)
        return Response(AskedOut(row).data, status=202)
