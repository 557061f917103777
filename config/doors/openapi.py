"""OpenAPI: adds to every operation the errors it can really give, and the permission it needs. Used by drf-spectacular."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import AllowAny

from config.doors import idempotency
from config.doors.problems import MEDIA_TYPE
from config.kernel.desk import permissions

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "correlation_id"],
    "properties": {
        "type": {"type": "string", "description": "A fixed name of the kind of error.", "example": "urn:steward:problem:invalid"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, to what, and what to do next."},
        "correlation_id": {"type": "string", "description": "Also in the header X-Correlation-ID and in every log line."},
        "errors": {
            "type": "object",
            "description": "Name of a field → sentences.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
MEANINGS = {
    "400": "The request cannot be taken; `errors` says which field is wrong.",
    "401": "No valid credentials were sent.",
    "403": "The caller lacks the permission that `detail` names.",
    "404": "There is no such thing.",
    "409": "It exists already, or its state does not allow this.",
    "413": "The body is too large.",
    "415": "The body is not of a type that can be read.",
    "429": "Too many calls; try again after Retry-After.",
    "503": "The database does not answer; try again.",
}
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
WITH_BODY = ("POST", "PUT", "PATCH")


class Schema(AutoSchema):
    """DRF's DEFAULT_SCHEMA_CLASS. A view may set `schema_tags`, and `schema_errors` for statuses that only it can give."""

    def get_operation(self, *args: Any, **values: Any) -> Any:
        operation = super().get_operation(*args, **values)
        if operation:
            self.registry.register_on_missing(_problem_component())
            scope = None if self._is_public() else permissions.required(self.view, self.method)
            said = operation.get("description", "")
            operation["description"] = f"{said}\n\nNeeds the permission `{scope}`.".strip() if scope else said
            for status in sorted(self._errors() - set(operation["responses"])):
                operation["responses"][status] = _error(status)
        return operation

    def get_tags(self) -> list[str]:
        return list(getattr(self.view, "schema_tags", ())) or super().get_tags()

    def get_summary(self) -> str | None:
        return super().get_summary() or (type(self.view).__doc__ or "").partition("\n")[0].rstrip(".")

    def get_override_parameters(self) -> list[Any]:
        found = list(super().get_override_parameters())
        if self.method == "POST" and getattr(self.view, "takes_idempotency_key", False):
            found.append(_idempotency_parameter())
        return found

    def _errors(self) -> set[str]:
        found = {"400", "503", *map(str, getattr(self.view, "schema_errors", ()))}
        found |= {"401", "403"} if not self._is_public() else set()
        found |= {"404"} if "{" in self.path else set()
        found |= {"409"} if self.method in CHANGING else set()
        found |= {"413", "415"} if self.method in WITH_BODY else set()
        return found | ({"429"} if self.view.get_throttles() else set())

    def _is_public(self) -> bool:
        return all(isinstance(permission, AllowAny) for permission in self.view.get_permissions())


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Our tokens, as the document names them."""

    target_class = "config.kernel.desk.tokens.TokenAuthentication"
    name = "Bearer"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> Any:
        return {"type": "http", "scheme": "bearer"}


class BodyShape(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """What is sent takes no names but its own."""

    target_class = "config.doors.bodies.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        return {**auto_schema._map_serializer(self.target, direction, bypass_extensions=True), "additionalProperties": False}


def _problem_component() -> ResolvedComponent:
    return ResolvedComponent("Problem", ResolvedComponent.SCHEMA, PROBLEM, "Problem")  # type: ignore[no-untyped-call]


def _error(status: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    headers = {"headers": RETRY_AFTER} if status in {"429", "503"} else {}
    return {"description": MEANINGS.get(status, "It cannot be done; `detail` says why."), "content": content, **headers}


def _idempotency_parameter() -> Any:
    return OpenApiParameter(
        idempotency.HEADER,
        str,
        OpenApiParameter.HEADER,
        description="The same key again gets the first answer and starts nothing, for 24 hours. 1 to 200 printable characters.",
    )
