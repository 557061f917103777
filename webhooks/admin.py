"""Admin pages of webhooks: endpoints, sources and event types are edited here, what went in and out is read-only.
Each deed is one call of a service."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from config.doors.admin import BaseAdmin, DeedForm, ReadOnlyAdmin, deed
from config.kernel.models import EventType
from config.look import words
from config.look.fields import PrettyJSON
from webhooks.forms.endpoints import EndpointForm as EndpointQuestions
from webhooks.forms.sources import SourceForm as SourceQuestions
from webhooks.models import Attempt, Batch, Delivery, Endpoint, Installation, Receipt, Replay, Skip, Source
from webhooks.services import deliveries, endpoints, event_types, receipts, replay, sources

VIEW, MANAGE = "webhooks:view", "webhooks:manage"
# What the form asks besides the columns; who may only look is not shown these.
ASKED_ONLY = ("id_of_yours", "new_secret", "asymmetric", "headers")
ENDPOINT_FIELDS = [name for _, _, names, _ in EndpointQuestions.layout for name in names if name not in ("secret", "asymmetric")]
SOURCE_FIELDS = [name for _, _, names, _ in SourceQuestions.layout for name in names if name != "secret"]


def _secret(help_text: str, *, longest: int) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(label="Secret of your own", required=False, max_length=longest, strip=False, widget=widget, help_text=help_text)


def _sections(layout: Any, *, also: Sequence[str] = ()) -> list[Any]:
    """The dashboard's sections as the admin wants them; `also` goes to the end of the first one."""
    found = [(title, {"description": lead, "fields": [_named(name) for name in names]}) for title, lead, names, _ in layout]
    found[0][1]["fields"] += also
    return found


def _named(name: str) -> str:
    return "new_secret" if name == "secret" else name


def _pretty(name: str) -> Any:
    """A column of a read-only page: a JSON field, indented and coloured."""

    def shown(row: Any) -> Any:
        value = getattr(row, name)
        return format_html('<pre class="json">{}</pre>', words.json_html(value)) if value else "-"

    shown.short_description = name.replace("_", " ")  # type: ignore[attr-defined]
    return shown


class QuestionsForm(DeedForm):
    """Asks as the dashboard does: the same fields, words and units. `questions` makes that form for a row, or for none."""

    beside = {"secret": "new_secret", "id": "id_of_yours"}
    questions: Callable[[Any], forms.Form]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        asked = type(self).questions(self.instance if self.instance.pk else None).fields
        self.fields.update({name: asked[name] for name in self.fields if name in asked})


class EndpointForm(QuestionsForm):
    """Where, what, how it is signed, how hard we try, how fast."""

    id_of_yours = forms.CharField(
        label="Id of your own", required=False, max_length=64, help_text="Letters, digits, _ and -. Left out: one is made."
    )
    new_secret = _secret("Left out: one is made, or the present one stays. The old one signs beside it for a while.", longest=300)
    asymmetric = forms.BooleanField(required=False)

    class Meta:
        model = Endpoint
        fields = ENDPOINT_FIELDS

    @staticmethod
    def questions(endpoint: Endpoint | None) -> forms.Form:
        """As the dashboard asks."""
        return EndpointQuestions(endpoint=endpoint)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.setdefault("asymmetric", bool(self.instance.signing_key))

    def deed(self) -> Endpoint:
        values = {name: value for name, value in self.cleaned_data.items() if name in (*ENDPOINT_FIELDS, "asymmetric")}
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
    list_display = ["name", "address", "status", "last_delivered_at"]
    list_filter = ["status", "security"]
    search_fields = ["uid", "url", "description"]
    sections = _sections(EndpointQuestions.layout, also=["id_of_yours"])
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

    @admin.display(description="endpoint", ordering="description")
    def name(self, endpoint: Endpoint) -> str:
        """What people call it."""
        return endpoint.title

    @admin.display(description="address", ordering="url")
    def address(self, endpoint: Endpoint) -> str:
        """As people may see it: what lets somebody in is masked."""
        return endpoint.shown_url

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """An id is chosen once. Who may only look sees no header values: they may be secrets, and Django would draw them as they are."""
        may_change = self.has_change_permission(request, obj)
        hidden = ("id_of_yours",) if may_change and obj else () if may_change else ASKED_ONLY
        return [(title, {**rest, "fields": [name for name in rest["fields"] if name not in hidden]}) for title, rest in self.sections]

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        endpoints.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted with it: its history stays until its retention ends."""
        return [str(one) for one in objs], {}, set(), []


class SourceForm(QuestionsForm):
    """A sender: its address, how it proves who it is, its limits."""

    new_secret = _secret("Left out: one is made, or the present one stays. Stripe, Slack and Shopify make theirs: enter it.", longest=500)

    class Meta:
        model = Source
        fields = SOURCE_FIELDS

    @staticmethod
    def questions(source: Source | None) -> forms.Form:
        """As the dashboard asks."""
        return SourceQuestions(source=source)

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
    fieldsets = _sections(SourceQuestions.layout)
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


def _nothing() -> None:
    """An empty field of a type: it has no schema, no example."""


class EventTypeForm(DeedForm):
    """A name, what its data look like, an example."""

    name = forms.RegexField(
        event_types.NAME,
        max_length=128,
        help_text="Noun and past participle in small letters, such as order.paid. It stays.",
    )
    schema = PrettyJSON(
        required=False,
        rows=14,
        empty=_nothing,
        help_text="JSON Schema (2020-12) of the data. With one, data that do not fit are refused.",
    )
    example = PrettyJSON(
        required=False,
        rows=10,
        empty=_nothing,
        help_text="It must fit the schema; a test event sends it.",
    )

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

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look, or looks at our own catalogue, sees the JSON indented."""
        may_change = self.has_change_permission(request, obj)
        return super().get_fields(request, obj) if may_change else ["name", "origin", "description", _pretty("schema"), _pretty("example")]

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
