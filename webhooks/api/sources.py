"""`/api/v1/webhooks/sources` and `/inbound`: who sends to us, and what came."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.doors.filters import PeriodFilter
from webhooks.api.endpoints import MANAGE, step
from webhooks.api.serializers.endpoints import SecretIn, SecretOut
from webhooks.api.serializers.sources import ReceiptDetail, ReceiptOut, SourceIn, SourceMade, SourceOut
from webhooks.enums import ReceiptStatus
from webhooks.models import Receipt, Source
from webhooks.services import receipts, sources


class Sources(IdempotencyKey, Collection):
    """All living sources."""

    scopes = MANAGE
    throttle_kind = "manage"
    serializer_class = SourceOut

    def get_queryset(self) -> QuerySet[Source]:
        return Source.living.order_by("slug")

    @extend_schema(request=SourceIn, responses={201: SourceMade}, summary="Add a source")
    def post(self, request: Request) -> Response:
        """The answer holds its address and its secret, the latter this once."""
        made = sources.create(**read(SourceIn, request).validated_data)
        return Response(SourceMade(made.source, context={"secret": made.secret}).data, status=201)


class OneSource(View):
    """One source."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(responses=SourceOut, summary="Read a source")
    def get(self, request: Request, slug: str) -> Response:
        """Its address, preset and limits."""
        return Response(SourceOut(sources.find(slug)).data)

    @extend_schema(request=SourceIn(partial=True), responses=SourceOut, summary="Change a source")
    def patch(self, request: Request, slug: str) -> Response:
        """What is left out stays; its slug cannot change, and its secret changes by rotation."""
        fields = dict(read(SourceIn, request, partial=True).validated_data)
        for fixed in ("slug", "secret"):
            fields.pop(fixed, None)
        return Response(SourceOut(sources.update(sources.find(slug), **fields)).data)

    @extend_schema(responses={204: None}, summary="Delete a source")
    def delete(self, request: Request, slug: str) -> Response:
        """Its address answers 404 from now on; its receipts stay until their retention ends."""
        sources.delete(sources.find(slug))
        return Response(status=204)


class StepSource(View):
    """Moves a source to another state. `deed` is the service's."""

    scopes = MANAGE
    throttle_kind = "manage"
    deed: Callable[..., bool]

    @extend_schema(request=None, responses=SourceOut)
    def post(self, request: Request, slug: str) -> Response:
        """Where it was in that state already, nothing happens."""
        source = sources.find(slug)
        type(self).deed(source)
        return Response(SourceOut(source).data)


@step("Pause a source", "The sender hears 503 and tries again later.")
class PauseSource(StepSource):
    """Stop listening to a source."""

    deed = sources.pause


@step("Resume a source", "From now on its requests are taken.")
class ResumeSource(StepSource):
    """Listen to a source again."""

    deed = sources.resume


class RotateSourceSecret(View):
    """A new secret; the old one is accepted beside it for a while."""

    scopes = MANAGE
    throttle_kind = "manage"

    @extend_schema(request=SecretIn, responses=SecretOut, summary="Rotate the secret of a source")
    def post(self, request: Request, slug: str) -> Response:
        """The answer holds the new secret, this once."""
        source, sent = sources.find(slug), read(SecretIn, request).validated_data
        secret = sources.rotate_secret(source, secret=sent.get("secret", ""), overlap_hours=sent.get("overlap_hours"))
        return Response({"id": source.uid, "secret": secret})


class SetupHelpOut(serializers.Serializer[Any]):
    """How the sender is set up."""

    url = serializers.CharField()
    steps = serializers.ListField(child=serializers.CharField())


class SourceSetup(View):
    """How to set up the sender."""

    scopes = MANAGE

    @extend_schema(responses=SetupHelpOut, summary="Read how a sender is set up")
    def get(self, request: Request, slug: str) -> Response:
        """The address to copy and the steps, for this kind of sender."""
        found = sources.setup_help(sources.find(slug))
        return Response({"url": found.url, "steps": list(found.steps)})


class ReceiptFilter(PeriodFilter):
    """Filters of the list."""

    source = filters.CharFilter(field_name="source__slug")
    status = filters.MultipleChoiceFilter(choices=ReceiptStatus.choices)
    event_type = filters.CharFilter()
    delivery_id = filters.CharFilter()

    class Meta:
        model = Receipt
        fields = ["status"]


class Receipts(Collection):
    """Inbound requests, newest first."""

    scopes = MANAGE
    serializer_class = ReceiptOut
    filterset_class = ReceiptFilter

    def get_queryset(self) -> QuerySet[Receipt]:
        return Receipt.objects.select_related("source", "event").defer("body", "event__body").order_by("-id")


class OneReceipt(View):
    """One inbound request."""

    scopes = MANAGE

    @extend_schema(responses=ReceiptDetail, summary="Read a receipt, with why it was refused")
    def get(self, request: Request, receipt_id: str) -> Response:
        """The headers that came and what an operator should know."""
        return Response(ReceiptDetail(receipts.find(receipt_id)).data)


class ReprocessReceipt(View):
    """Handle an inbound request once more."""

    scopes = MANAGE

    @extend_schema(request=None, responses={202: ReceiptDetail}, summary="Reprocess a receipt")
    def post(self, request: Request, receipt_id: str) -> Response:
        """Routes its event again; a refused request has none and answers 409."""
        receipts.reprocess(receipts.find(receipt_id))
        return Response(ReceiptDetail(receipts.find(receipt_id)).data, status=202)
