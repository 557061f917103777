"""`/api/v1/automation/start, stop, status, config`: the master switch and the seven values."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import caller
from automation.api.serializers.executions import ConfigOut, ProfileIn, StatusOut
from automation.services import control
from config.doors.api import View
from config.doors.bodies import read

SEE, SWITCH = "metrics:view", "system:admin"
TAGS = ("automation",)


class Status(View):
    """How automation stands."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(responses=StatusOut, summary="Read how automation stands")
    def get(self, request: Request) -> Response:
        """Over all executions that are kept."""
        return status()


class Start(View):
    """Let rules act."""

    scope = SWITCH
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(request=None, responses=StatusOut, summary="Start automation")
    def post(self, request: Request) -> Response:
        """Where they acted already, nothing happens."""
        control.start(caller(request))
        return status()


class Stop(View):
    """Hold rules back."""

    scope = SWITCH
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(request=None, responses=StatusOut, summary="Stop automation")
    def post(self, request: Request) -> Response:
        """Nothing starts by itself any more, and verdicts say so; what runs ends, what a person starts still does, deliveries go on."""
        control.stop(caller(request))
        return status()


class Config(View):
    """The seven values."""

    scopes = {"GET": SEE, "PATCH": SWITCH}
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(responses=ConfigOut, summary="Read the configuration in force")
    def get(self, request: Request) -> Response:
        """The options behind them are in docs/configuration.md."""
        return Response(control.config())

    @extend_schema(request=ConfigOut(partial=True), responses=ConfigOut, summary="Change the configuration")
    def patch(self, request: Request) -> Response:
        """In force everywhere within a second; what is left out stays."""
        return Response(control.configure(read(ConfigOut, request, partial=True).validated_data, caller(request)))


class ApplyProfile(View):
    """All seven at once."""

    scope = SWITCH
    schema_tags = TAGS
    throttle_kind = "manage"

    @extend_schema(request=ProfileIn, responses=ConfigOut, summary="Set the configuration to a profile")
    def post(self, request: Request) -> Response:
        """`default`, or the requirements' `production`."""
        return Response(control.apply_profile(read(ProfileIn, request).validated_data["profile"], caller(request)))


def status() -> Response:
    """The four values."""
    return Response(asdict(control.status()))
