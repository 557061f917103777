"""Admin pages of the kernel's rows, of users and of schedules. What is remembered is read-only; what is configured calls a service."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat.admin import ClockedScheduleAdmin, CrontabScheduleAdmin, PeriodicTaskAdmin
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from config.acts.models import Approval, Invocation, Slot
from config.acts.running import approvals, invocations
from config.doors.admin import BaseAdmin, ReadOnlyAdmin, deed
from config.kernel.desk import options, permissions, tokens
from config.kernel.flow import events
from config.kernel.flow.errors import StewardError
from config.kernel.language import json_text
from config.kernel.models import (
    ApiToken,
    AuditRecord,
    Breaker,
    Bucket,
    Component,
    Event,
    IdempotencyKey,
    Lease,
    Notification,
    Option,
    Presence,
    Rollup,
    RouteFailure,
    Snapshot,
    Tally,
)
from config.kernel.watch import audit, notifications
from config.kernel.wire import redact

for taken_over in (User, Group, PeriodicTask, CrontabSchedule, IntervalSchedule, ClockedSchedule, SolarSchedule, TaskResult, GroupResult):
    admin.site.unregister(taken_over)


WHOLE_EVENT = (
    "uid",
    "type",
    "source",
    "subject",
    "correlation_id",
    "cause_uid",
    "hops",
    "created_at",
    "routed_at",
    "route_note",
    "envelope",
)


def _events_of_failures(failure: RouteFailure) -> None:
    events.reroute(failure.event)


def _mark_read(row: Notification) -> bool:
    return bool(notifications.mark_read(Notification.objects.filter(pk=row.pk)))


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Facts; read-only."""

    view_scope = "webhooks:view"
    list_display = ["short_uid", "type", "source", "subject", "created_at", "routed_at"]
    list_filter = ["type", "created_at"]
    search_fields = ["=uid", "=subject", "=correlation_id"]
    fields = WHOLE_EVENT
    readonly_fields = WHOLE_EVENT
    actions = [deed("Route again", events.reroute, scope="webhooks:manage")]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("body")

    @admin.display(description="envelope")
    def envelope(self, event: Event) -> str:
        """As it is signed and sent; the first 64 kB."""
        return bytes(event.body)[:65536].decode(errors="replace")


@admin.register(RouteFailure)
class RouteFailureAdmin(ReadOnlyAdmin):
    """Events that a subscriber could not take."""

    view_scope = "webhooks:view"
    list_display = ["event", "subscriber", "attempts", "next_attempt_at", "error"]
    list_filter = ["subscriber"]
    list_select_related = ["event"]
    actions = [deed("Route the event again", _events_of_failures, scope="webhooks:manage")]


@admin.register(AuditRecord)
class AuditAdmin(ReadOnlyAdmin):
    """Who did what; nobody changes it."""

    view_scope = "audit:view"
    list_display = ["created_at", "actor", "action", "subject", "ip"]
    list_filter = ["kind", "created_at"]
    search_fields = ["=actor", "=subject", "=action"]


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Messages to people, and what became of each."""

    view_scope = "metrics:view"
    list_display = ["short_uid", "created_at", "channel", "urgency", "title", "count", "status", "attempts", "read_at"]
    list_filter = ["channel", "urgency", "status"]
    search_fields = ["title", "=subject"]
    actions = [deed("Mark as read", _mark_read, scope="alerts:acknowledge")]


@admin.register(Component)
class ComponentAdmin(ReadOnlyAdmin):
    """The last known state of each part."""

    view_scope = "metrics:view"
    list_display = ["key", "status", "since", "detail"]
    list_filter = ["status"]


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    """Switches per target."""

    view_scope = "webhooks:view"
    list_display = ["key", "state", "failures", "opened_at", "retry_at"]
    list_filter = ["state"]
    search_fields = ["key"]


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    """All values of one tick."""

    view_scope = "metrics:view"
    list_display = ["at", "measured_at"]
    fields = ("at", "measured_at", "values")
    readonly_fields = fields


@admin.register(Rollup)
class RollupAdmin(ReadOnlyAdmin):
    """Minutes and hours."""

    view_scope = "metrics:view"
    list_display = ["name", "seconds", "at", "count", "min", "max", "last"]
    list_filter = ["seconds"]
    search_fields = ["=name"]


@admin.register(Presence)
class PresenceAdmin(ReadOnlyAdmin):
    """Who asked last, and when."""

    view_scope = "metrics:view"
    list_display = ["user", "seen_at"]
    list_select_related = ["user"]


@admin.register(Lease, Bucket, Tally, IdempotencyKey)
class InnerAdmin(ReadOnlyAdmin):
    """Rows of the machinery, for those who look for a fault."""

    def get_list_display(self, request: HttpRequest) -> Any:
        hidden = {"id", "body", "digest", "token", "lease_token"}
        return [field.name for field in self.model._meta.fields if field.name not in hidden]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.model._meta.fields if field.name in {"body", "digest", "token"}]


@admin.register(Invocation)
class InvocationAdmin(ReadOnlyAdmin):
    """Calls of actions; what is secret in their parameters is masked."""

    view_scope = "workflows:view"
    list_display = ["short_uid", "action", "summary", "status", "owner", "caller", "attempts", "created_at", "ended_at"]
    list_filter = ["status", "action", "created_at"]
    search_fields = ["=uid", "=caller", "=correlation_id"]
    exclude = ["params", "output", "state"]
    readonly_fields = ["shown_params", "shown_output"]
    actions = [deed("Cancel", invocations.cancel, scope=permissions.ALL)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("params")

    @admin.display(description="parameters")
    def shown_params(self, row: Invocation) -> str:
        """Masked."""
        return json_text.write(invocations.masked(row)).decode()

    @admin.display(description="output")
    def shown_output(self, row: Invocation) -> str:
        """What has a telling name or look is masked."""
        return json_text.write(redact.data(row.output)).decode()


def _answering(is_approved: bool) -> Any:
    def answer(page: BaseAdmin, request: HttpRequest, chosen: QuerySet[Approval]) -> None:
        for row in chosen:
            try:
                approvals.decide(row, user=request.user, is_approved=is_approved, note="in the administration")
                page.message_user(request, f"{'Approved' if is_approved else 'Rejected'}: {row.question}", messages.SUCCESS)
            except StewardError as refusal:
                page.message_user(request, refusal.message, messages.WARNING)

    answer.__name__ = "approve" if is_approved else "reject"
    answer.short_description = "Approve" if is_approved else "Reject"  # type: ignore[attr-defined]
    answer.scope = "workflows:view"  # type: ignore[attr-defined]  # the deed asks for what each question names
    return answer


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Questions and their answers."""

    view_scope = "workflows:view"
    list_display = ["short_uid", "question", "subject", "scope", "status", "expires_at", "decided_by"]
    list_filter = ["status", "scope"]
    search_fields = ["=uid", "=subject"]
    actions = [_answering(True), _answering(False)]


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    """Who holds a place among those that may run at once."""

    list_display = ["pool", "number", "held_for", "holder", "since", "until"]
    list_filter = ["pool"]
    exclude = ["token"]


class OptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Choose an option, type its value."""

    name = forms.ChoiceField(choices=lambda: [(one.name, f"{one.name}: {one.help}") for one in options.all()])
    value = forms.CharField(help_text="A number, true or false, a text, or a list by comma. Every process follows within a second.")

    class Meta:
        model = Option
        fields = ["name", "value"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("name") and "value" in given:
            try:
                given["value"] = options.validate(given["name"], given["value"])
            except StewardError as error:
                self.add_error("value", error.message)
        return given


@admin.register(Option)
class OptionAdmin(BaseAdmin):
    """Live settings that differ from the environment. Deleting one brings the environment's value back."""

    form = OptionForm
    delete_scope = permissions.ALL
    list_display = ["name", "value", "changed_by", "changed_at"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        options.set(obj.name, obj.value, user=request.user)  # type: ignore[arg-type]
        obj.pk = Option.objects.get(name=obj.name).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        options.clear(obj.name, user=request.user)  # type: ignore[arg-type]


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name, an owner, what it may do."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope}: {about}") for scope, about in permissions.SCOPES.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all that its owner may do.",
    )

    class Meta:
        model = ApiToken
        fields = ["name", "owner", "scopes", "expires_at"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["scopes"] = given.get("scopes") or None
        owner = given.get("owner")
        missing = [scope for scope in given["scopes"] or [] if owner and not permissions.may(owner, scope)]
        if missing:
            self.add_error("scopes", f"{owner} does not hold: {', '.join(missing)}.")
        return given


@admin.register(ApiToken)
class TokenAdmin(BaseAdmin):
    """Keys to the API. A new one is shown once; a revoked one stays in the list."""

    form = TokenForm
    list_display = ["name", "owner", "hint", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"]
    list_filter = ["owner"]
    list_select_related = ["owner"]
    actions = [deed("Revoke", tokens.revoke, scope=permissions.ALL)]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made, plain = tokens.create(obj.owner, name=obj.name, scopes=obj.scopes, expires_at=obj.expires_at)
        obj.pk = made.pk
        messages.warning(request, f"The token is {plain} . Copy it now: it cannot be shown again.")


class Administered(BaseAdmin):
    """Pages of other packages under our permissions: system:admin for everything, their own actions included.

    They know no service of ours, so each change leaves its audit record here: names of fields, never values.
    """

    delete_scope = permissions.ALL

    def get_actions(self, request: HttpRequest) -> Any:
        return admin.ModelAdmin.get_actions(self, request) if self.has_change_permission(request) else {}

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        audit.record(f"{obj._meta.model_name}.created", obj, name=str(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        changed = [str(name) for part in message if isinstance(part, dict) for name in part.get("changed", {}).get("fields", ())]
        audit.record(f"{obj._meta.model_name}.changed", obj, name=str(obj), changed=changed or str(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            audit.record(f"{row._meta.model_name}.deleted", row, name=str(row))
        return super().log_deletions(request, queryset)


@admin.register(User)
class OurUserAdmin(Administered, UserAdmin):  # type: ignore[type-arg]
    """Users; their groups are their roles."""


@admin.register(Group)
class OurGroupAdmin(Administered, GroupAdmin):
    """Roles."""


@admin.register(PeriodicTask)
class OurPeriodicTaskAdmin(Administered, PeriodicTaskAdmin):
    """Schedules; the beat follows a change without a restart."""


@admin.register(CrontabSchedule)
class OurCrontabAdmin(Administered, CrontabScheduleAdmin):
    """Times of day."""


@admin.register(ClockedSchedule)
class OurClockedAdmin(Administered, ClockedScheduleAdmin):
    """Single moments."""


@admin.register(IntervalSchedule, SolarSchedule, GroupResult)
class OurScheduleAdmin(Administered):
    """Intervals, sun times, results of groups."""


@admin.register(TaskResult)
class OurTaskResultAdmin(Administered, TaskResultAdmin):
    """Results of tasks that a person reads."""

    change_scope = None
