"""Admin pages of queues, which are edited here, and of their items. Each deed is one call of a service."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from automation.forms.queues import QueueForm as QueueQuestions
from automation.models import Queue, WorkItem
from automation.services import queues, work
from config.doors.admin import BaseAdmin, DeedForm, ReadOnlyAdmin, deed
from config.look import words
from config.look.parameters import DrawsParameters

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "workflows:execute"
FIELDS = [name for _, _, names in QueueQuestions.layout for name in names]


class QueueForm(DrawsParameters, DeedForm):
    """Asks as the dashboard does: the same fields, words and units."""

    slug = QueueQuestions.base_fields["slug"]
    processor = QueueQuestions.base_fields["processor"]
    parameters = QueueQuestions.base_fields["parameters"]

    class Meta:
        model = Queue
        fields = FIELDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        asked = QueueQuestions(queue=self.instance if self.instance.pk else None).fields
        self.fields.update({name: asked[name] for name in self.fields if name in asked and name not in ("processor", "parameters")})

    def deed(self) -> Queue:
        values = {name: value for name, value in self.cleaned_data.items() if name in FIELDS}
        return queues.update(self.fresh(), **values) if self.instance.pk else queues.create(**values)


@admin.register(Queue)
class QueueAdmin(BaseAdmin):
    """Lines of work."""

    view_scope, change_scope, delete_scope = SEE, MANAGE, MANAGE
    form = QueueForm
    list_display = ["slug", "name", "processor", "is_automatic", "is_paused", "waiting", "failed", "delayed_since"]
    list_filter = ["is_paused", "is_automatic"]
    search_fields = ["=uid", "slug", "name"]
    fieldsets = [(title, {"description": lead.replace("`", ""), "fields": names}) for title, lead, names in QueueQuestions.layout]
    actions = [
        deed("Pause", queues.pause, scope=MANAGE),
        deed("Resume", queues.resume, scope=MANAGE),
        deed("Put all failed items back", lambda queue: bool(work.requeue_failed(queue)), scope=MANAGE),
        deed("Archive all failed items", lambda queue: bool(work.clear_errors(queue)), scope=MANAGE),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        waiting, failed = (Count("items", filter=Q(items__status=status)) for status in (WorkItem.Status.WAITING, WorkItem.Status.FAILED))
        rows: QuerySet[Any] = Queue.living.annotate(depth=waiting, errors=failed)
        return rows

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees the parameters with secrets masked."""
        if self.has_change_permission(request, obj):
            return self.fieldsets
        names = [[name if name != "parameters" else "shown_parameters" for name in rest["fields"]] for _, rest in self.fieldsets or ()]
        return [(title, {**rest, "fields": shown}) for (title, rest), shown in zip(self.fieldsets or (), names, strict=True)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if self.has_change_permission(request, obj) else ["shown_parameters"]

    @admin.display(description="parameters")
    def shown_parameters(self, queue: Queue) -> Any:
        """As people may see them."""
        return format_html('<pre class="json">{}</pre>', words.json_html(queues.shown_parameters(queue)))

    @admin.display(description="waiting")
    def waiting(self, queue: Any) -> int:
        """Its depth, counted with the list."""
        return int(queue.depth)

    @admin.display(description="failed")
    def failed(self, queue: Any) -> int:
        """Its error queue, counted with the list."""
        return int(queue.errors)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        queues.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted with it: its items stay until their retention ends."""
        return [str(one) for one in objs], {}, set(), []


@admin.register(WorkItem)
class WorkItemAdmin(ReadOnlyAdmin):
    """One thing to be done."""

    view_scope = SEE
    list_display = ["short_uid", "queue", "status", "priority", "attempts", "queued_at", "next_attempt_at", "error_code"]
    list_filter = ["status", "queue", "created_at"]
    search_fields = ["=uid", "=key", "=batch", "=cause_uid"]
    list_select_related = ["queue"]
    actions = [deed("Put back", work.requeue, scope=RUN), deed("Cancel", work.cancel, scope=RUN)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("queue")
