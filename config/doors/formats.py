"""How the API writes and reads: JSON, negotiation, pages. Named in the settings, so it imports no view of REST framework."""

from typing import Any

from django.http import Http404
from rest_framework.exceptions import NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text


class Renderer(BaseRenderer):
    """JSON, whatever was asked for."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return json_text.write(data)


class Parser(BaseParser):
    """JSON, an object unless the view says `body_types = (dict, list)`. Raises InvalidInput or ParseError that says what is wrong where."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        where = parser_context or {}
        request = where.get("request")
        # Through the request, because only its `body` keeps to DATA_UPLOAD_MAX_MEMORY_SIZE.
        data = json_text.read(request._request.body if request is not None else stream.read())
        allowed: tuple[type, ...] = getattr(where.get("view"), "body_types", (dict,))
        if not isinstance(data, allowed):
            wanted = " or ".join("an object" if kind is dict else "a list" for kind in allowed)
            raise ParseError(f"The body must be {wanted}, not {_kind(data)}.")
        return data


class Negotiation(DefaultContentNegotiation):
    """Never 406: who asks for a format that there is not gets the first that there is."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (NotAcceptable, Http404):
            return renderers[0], renderers[0].media_type


class Pages(LimitOffsetPagination):
    """`limit` (50, at most 1000) and `offset`; a wrong one is refused, never bent. `{count, next, previous, results}`."""

    default_limit = 50
    max_limit = 1000
    max_offset = 10_000_000

    def get_limit(self, request: Any) -> int:
        return self._number(request, "limit", 1, self.max_limit, self.default_limit)

    def get_offset(self, request: Any) -> int:
        return self._number(request, "offset", 0, self.max_offset, 0)

    def get_schema_operation_parameters(self, view: Any) -> Any:
        limit = {"type": "integer", "minimum": 1, "maximum": self.max_limit, "default": self.default_limit}
        offset = {"type": "integer", "minimum": 0, "maximum": self.max_offset, "default": 0}
        return [
            {"name": "limit", "in": "query", "required": False, "description": "Rows on a page.", "schema": limit},
            {"name": "offset", "in": "query", "required": False, "description": "Rows to pass over.", "schema": offset},
        ]

    def _number(self, request: Any, name: str, low: int, high: int, default: int) -> int:
        given = request.query_params.get(name)
        if given is None:
            return default
        if not (given.isascii() and given.isdecimal() and len(given) < 12 and low <= int(given) <= high):
            sentence = f"{name} must be a whole number from {low} to {high}."
            raise InvalidInput(f"{sentence} It was {given[:40]!r}.", fields={name: [sentence]})
        return int(given)


def _kind(data: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}.get(type(data), "a number")
