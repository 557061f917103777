"""Admin pages of webhooks: endpoints, sources and event types are edited here, what went in and out is read-only.
Each deed is one call of a service."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from config.kernel.desk.admin import BaseAdmin, DeedForm, ReadOnlyAdmin, deed
from config.kernel.models import EventType
from webhooks.forms.fields import Headers
from webhooks.models import Attempt, Batch, Delivery, Endpoint, Installation, Receipt, Replay, Skip, Source
from webhooks.services import deliveries, endpoints, event_types, receipts, replay, sources

VIEW, MANAGE = "webhooks:view", "webhooks:manage"
ENDPOINT_FIELDS = [
    "url",
    "description",
    "events",
    "filter_conditions",
    "security",
    "headers",
    "timeout_seconds",
    "retry_strategy",
    "retry_base_seconds",
    "max_attempts",
    "retry_max_delay_seconds",
    "retry_jitter",
    "retry_schedule",
    "auto_disable_days",
    "rate_per_minute",
    "max_in_flight",
    "ordering_key",
    "batch_enabled",
    "batch_size",
    "batch_max_wait_seconds",
]
SOURCE_FIELDS = ["slug", "name", "preset", "config", "rate_per_second", "rate_burst", "max_body_bytes", "github_hook"]


class EndpointForm(DeedForm):
    """Where, what, how it is signed, how hard we try, how fast."""

    id_of_yours = forms.CharField(
        required=False, max_length=64, help_text="Only when it is made: an id of your own; one is made when left out."
    )
    new_secret = forms.CharField(
        required=False,
        max_length=300,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="A secret of your own. Left out: one is made, or the present one stays.",
    )
    headers = Headers(required=False, help_text="`Name: value`, one a line. A value that is left masked stays as it is.")

    class Meta:
        model = Endpoint
        fields = ENDPOINT_FIELDS
        widgets = {"url": forms.URLInput(attrs={"size": 80})}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if isinstance(field := self.fields.get("headers"), Headers):
            field.stored = self.instance.headers or {}

    def deed(self) -> Endpoint:
        values = {name: value for name, value in self.cleaned_data.items() if name in ENDPOINT_FIELDS}
        secret = self.cleaned_data.get("new_secret", "")
        if self.instance.pk:
            return endpoints.update(self.fresh(), secret=secret, **values)
        owner: Any = self.request.user if self.request else None
        made = endpoints.register(uid=self.cleaned_data.get("id_of_yours", ""), secret=secret, owner=owner, **values)
        if self.request and not secret:
            messages.warning(self.request, f"The secret is {made.secret} . Copy it now: it cannot be shown again.")
        return made.endpoint


def _rotated(page: BaseAdmin, request: HttpRequest, chosen: "QuerySet[Any]") -> None:
    for row in chosen:
        secret = endpoints.rotate_secret(row) if isinstance(row, Endpoint) else sources.rotate_secret(row)
        messages.warning(request, f"The new secret of {row} is {secret} . Copy it now: it cannot be shown again.")


_rotated.short_description = "Rotate the secret and show the new one"  # type: ignore[attr-defined]
_rotated.scope = MANAGE  # type: ignore[attr-defined]


@admin.register(Endpoint)
class EndpointAdmin(BaseAdmin):
    """Who hears from us."""

    view_scope, change_scope, delete_scope = VIEW, MANAGE, MANAGE
    form = EndpointForm
    list_display = ["uid", "url", "status", "security", "last_delivered_at", "last_failed_at"]
    list_filter = ["status", "security"]
    search_fields = ["uid", "url", "description"]
    fieldsets = [
        ("Where", {"fields": ["url", "description", "id_of_yours"]}),
        ("What", {"fields": ["events", "filter_conditions"]}),
        ("Who we say we are", {"fields": ["security", "new_secret", "headers"]}),
        (
            "How hard we try",
            {
                "fields": [
                    "timeout_seconds",
                    "retry_strategy",
                    "retry_base_seconds",
                    "max_attempts",
                    "retry_max_delay_seconds",
                    "retry_jitter",
                    "retry_schedule",
                    "auto_disable_days",
                ]
            },
        ),
        (
            "How fast",
            {"fields": ["rate_per_minute", "max_in_flight", "ordering_key", "batch_enabled", "batch_size", "batch_max_wait_seconds"]},
        ),
    ]
    actions = [
        deed("Send a test event", endpoints.send_test, scope=MANAGE),
        deed("Pause", endpoints.pause, scope=MANAGE),
        deed("Resume", endpoints.resume, scope=MANAGE),
        deed("Disable", endpoints.disable, scope=MANAGE),
        deed("Enable and catch up", endpoints.enable, scope=MANAGE),
        _rotated,
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Endpoint.living.all()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees no header values: they may be secrets, and Django would draw them as they are."""
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        typed = {"headers", "new_secret", "id_of_yours"}
        return [(title, {"fields": [name for name in rest["fields"] if name not in typed]}) for title, rest in self.fieldsets]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        endpoints.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted with it: its history stays until its retention ends."""
        return [str(one) for one in objs], {}, set(), []


class SourceForm(DeedForm):
    """A sender: its address, how it proves who it is, its limits."""

    new_secret = forms.CharField(
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Left out: one is made.",
    )

    class Meta:
        model = Source
        fields = SOURCE_FIELDS

    def deed(self) -> Source:
        values = {name: value for name, value in self.cleaned_data.items() if name in SOURCE_FIELDS}
        secret = self.cleaned_data.get("new_secret", "")
        if self.instance.pk:
            changed = sources.update(self.fresh(), **{name: value for name, value in values.items() if name not in ("slug", "preset")})
            if secret:
                sources.rotate_secret(changed, secret=secret)
            return changed
        made = sources.create(secret=secret, **values)
        if self.request and made.secret and not secret:
            messages.warning(self.request, f"The secret is {made.secret} . Copy it now: it cannot be shown again.")
        return made.source


@admin.register(Source)
class SourceAdmin(BaseAdmin):
    """Who may send to us."""

    view_scope, change_scope, delete_scope = VIEW, MANAGE, MANAGE
    form = SourceForm
    list_display = ["slug", "name", "preset", "status", "address", "created_at"]
    list_filter = ["preset", "status"]
    search_fields = ["slug", "name"]
    actions = [deed("Pause", sources.pause, scope=MANAGE), deed("Resume", sources.resume, scope=MANAGE), _rotated]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Source.living.all()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug", "preset"] if obj else []

    @admin.display(description="address")
    def address(self, source: Source) -> str:
        """Where the sender is to send."""
        return sources.setup_help(source).url

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        sources.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted with it: its receipts stay until their retention ends."""
        return [str(one) for one in objs], {}, set(), []


class EventTypeForm(DeedForm):
    """A name, what its data look like, an example."""

    class Meta:
        model = EventType
        fields = ["name", "description", "schema", "example"]

    def deed(self) -> EventType:
        values = dict(self.cleaned_data)
        if self.instance.pk:
            values.pop("name", None)
            return event_types.update(self.fresh(), **values)
        return event_types.create(**values)


@admin.register(EventType)
class EventTypeAdmin(BaseAdmin):
    """Every name that events may have. The built-in catalogue cannot be changed."""

    view_scope, change_scope, delete_scope = VIEW, MANAGE, MANAGE
    form = EventTypeForm
    list_display = ["name", "origin", "description"]
    list_filter = ["origin"]
    search_fields = ["name", "description"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or obj.origin != EventType.Origin.CATALOGUE) and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or obj.origin != EventType.Origin.CATALOGUE) and super().has_delete_permission(request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        event_types.delete(obj)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """One event for one endpoint."""

    view_scope = VIEW
    list_display = [
        "short_uid",
        "event_type",
        "endpoint",
        "status",
        "attempt_count",
        "next_attempt_at",
        "last_status_code",
        "last_error_code",
        "created_at",
    ]
    list_filter = ["status", "last_error_code", "created_at"]
    search_fields = ["=uid", "=event__uid", "=endpoint__uid"]
    actions = [deed("Send again", deliveries.redeliver, scope=MANAGE), deed("Cancel", deliveries.cancel, scope=MANAGE)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("event", "endpoint").defer("event__body")

    @admin.display(description="event", ordering="event__type")
    def event_type(self, delivery: Delivery) -> str:
        """The event's type."""
        return delivery.event.type


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    """One HTTP request."""

    view_scope = VIEW
    list_display = ["short_uid", "number", "started_at", "duration_ms", "status_code", "error_code", "error"]
    list_filter = ["error_code", "started_at"]
    search_fields = ["=uid", "=delivery__uid", "=batch__uid"]


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """Several deliveries in one request."""

    view_scope = VIEW
    exclude = ["body"]
    list_display = ["short_uid", "endpoint", "size", "status", "attempt_count", "next_attempt_at"]
    list_filter = ["status"]
    list_select_related = ["endpoint"]


@admin.register(Skip)
class SkipAdmin(ReadOnlyAdmin):
    """Why an endpoint got no delivery of an event."""

    view_scope = VIEW
    list_display = ["event", "endpoint", "reason", "detail", "created_at"]
    list_filter = ["reason"]
    list_select_related = ["event", "endpoint"]


@admin.register(Replay)
class ReplayAdmin(ReadOnlyAdmin):
    """Past events sent again."""

    view_scope = VIEW
    list_display = ["short_uid", "endpoint", "status", "done", "total", "since", "until", "requested_by"]
    list_filter = ["status"]
    list_select_related = ["endpoint"]
    actions = [
        deed("Pause", replay.pause, scope=MANAGE),
        deed("Resume", replay.resume, scope=MANAGE),
        deed("Cancel", replay.cancel, scope=MANAGE),
    ]


@admin.register(Receipt)
class ReceiptAdmin(ReadOnlyAdmin):
    """One inbound request, with why it was refused."""

    view_scope = VIEW
    list_display = ["short_uid", "source", "event_type", "status", "reason", "delivery_id", "remote_address", "created_at"]
    list_filter = ["status", "source", "created_at"]
    search_fields = ["=uid", "=delivery_id"]
    exclude = ["body"]
    readonly_fields = ["body_text"]
    actions = [deed("Reprocess", receipts.reprocess, scope=MANAGE)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("source").defer("body")

    @admin.display(description="body")
    def body_text(self, receipt: Receipt) -> str:
        """The first 64 kB of what came."""
        return bytes(receipt.body or b"")[:65536].decode(errors="replace")


@admin.register(Installation)
class InstallationAdmin(ReadOnlyAdmin):
    """Where a GitHub app is installed."""

    view_scope = VIEW
    list_display = ["account", "installation_id", "source", "is_active", "changed_at"]
    list_filter = ["is_active", "source"]
    search_fields = ["account", "=installation_id"]
    list_select_related = ["source"]
