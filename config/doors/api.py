"""What every API view stands on: view classes, serializers, idempotency. Used by `api/` of each app.
How it speaks is in `formats` and `problems`, how often it may be asked in `throttles`: the settings name those."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import models
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from config.doors import idempotency
from config.doors.bodies import nearest
from config.kernel.language import json_text


class Moment(serializers.DateTimeField):
    """A time; left to the renderer, which writes it in UTC with milliseconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"format": None, **options})


class ModelSerializer(serializers.ModelSerializer[Any]):
    """From a model; times are left to the renderer."""

    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.DateTimeField: Moment}


class View(APIView):
    """A view that declares `scopes = {"GET": "webhooks:view", …}` or `scope`; answers OPTIONS with 405."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    scopes: dict[str, str] | None = None
    body_types: tuple[type, ...] = (dict,)
    throttle_kind = ""
    schema_tags: Sequence[str] = ()


class Collection(View, generics.ListAPIView[Any]):
    """A list, in pages and filtered; rows by `uid`."""

    lookup_field = "uid"

    def filter_queryset(self, queryset: Any) -> Any:
        """Refuses a filter that there is not: misspelt, it would give everything."""
        found = DjangoFilterBackend().get_filterset_class(self, queryset)
        known = [*(found.base_filters if found else ()), "limit", "offset"]
        unknown = [name for name in self.request.query_params if name not in known]
        if unknown:
            raise serializers.ValidationError({name: [f"There is no such filter here. {nearest(name, known)}"] for name in unknown})
        return super().filter_queryset(queryset)


class IdempotencyKey:
    """Mixin, first of the bases: a POST with an `Idempotency-Key` starts its thing once and gets the same answer for 24 h."""

    takes_idempotency_key = True
    post: Any

    def initial(self, request: Request, *args: Any, **values: Any) -> None:
        """After authentication and limits, before the handler."""
        super().initial(request, *args, **values)  # type: ignore[misc]
        if request.method == "POST" and idempotency.HEADER in request.headers:
            # An instance lives for one request; DRF looks its handler up after this.
            self.post = partial(idempotency.once, self.post, json_text.write)
