"""`/.well-known/webhook-public-keys/<endpoint>`: what a receiver needs to verify our ed25519 signatures. Open to everyone."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from config.doors.api import View
from config.kernel.flow.errors import NotFound
from webhooks.models import Endpoint
from webhooks.services import endpoints

MAX_AGE_SECONDS = 300


class PublicKeysOut(serializers.Serializer[Any]):
    """The public keys of one endpoint, as `whpk_` and base64 of 32 bytes."""

    endpoint_id = serializers.CharField()
    keys = serializers.ListField(child=serializers.CharField())


class PublicKeys(View):
    """The public keys that an endpoint's `v1a` signatures are verified with."""

    schema_tags = ["public-keys"]
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(responses=PublicKeysOut, summary="Read the public keys of an endpoint", auth=[], operation_id="webhook_public_keys")
    def get(self, request: Request, endpoint_id: str) -> Response:
        """404 for an endpoint that there is not, and for one without asymmetric signatures: the two cannot be told apart."""
        found = Endpoint.living.filter(uid=endpoint_id).exclude(signing_key="").first()
        if found is None:
            raise NotFound("There are no public keys under this id.")
        answer = {"endpoint_id": found.uid, "keys": [endpoints.public_key(found)]}
        return Response(answer, headers={"Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"})
