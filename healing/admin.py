"""Admin pages of healing: services are edited here, with the fields of their controller. Each deed is one call of a service."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from config.acts.plugins.controllers import controllers
from config.doors.admin import BaseAdmin, DeedForm, deed
from config.kernel.flow.errors import StewardError
from config.look import words
from config.look.parameters import DrawsParameters, ParametersField, choices_of
from healing.models import Service
from healing.services import asking, services, standing

SEE, ACT, KEEP, RUN = "healing:view", "healing:execute", "system:admin", "actions:execute_standard"
SECTIONS = [
    ("What it is", ["name", "description", "dependencies"]),
    ("How it is steered", ["controller", "params"]),
    ("What may be done to it", ["may_be_restarted", "may_be_scaled", "min_instances", "max_instances"]),
    ("How its health is checked", ["health_kind", "health_target", "health_expected_status", "health_timeout_seconds"]),
]
SEEN = ["status", "status_detail", "status_since", "health", "health_detail", "instances", "pids", "checked_at"]
ASKED = [name for _, names in SECTIONS for name in names]
ADDRESSES = "Addresses of this machine and of private networks must be named in STEWARD_TRUSTED_TARGETS."
NOTES = {
    "What may be done to it": "Off until you turn it on. The bounds hold for whoever scales it.",
    "How its health is checked": ADDRESSES,
}


class ServiceForm(DrawsParameters, DeedForm):
    """Asks for the fields of the chosen controller; saving is one call of the service."""

    name = forms.CharField(max_length=64, help_text="What rules and actions call it: lower-case letters, digits, and - _ .")
    controller = forms.ChoiceField(choices=partial(choices_of, controllers, empty="Choose how it is steered"))
    params = ParametersField(controllers, chosen_by="controller", label="What it needs to know")

    class Meta:
        model = Service
        fields = ASKED
        labels = {
            "dependencies": "Stands on",
            "min_instances": "Least instances",
            "max_instances": "Most instances",
            "health_kind": "Checked by",
            "health_target": "Where",
            "health_expected_status": "Expected status",
            "health_timeout_seconds": "Time-out (seconds)",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "dependencies" in self.fields:
            living: Any = Service.living.exclude(pk=self.instance.pk).order_by("name")
            self.fields["dependencies"].queryset = living  # type: ignore[attr-defined]

    def deed(self) -> Service:
        values = {name: self.cleaned_data[name] for name in ASKED if name in self.cleaned_data}
        values["dependencies"] = [one.uid for one in values.get("dependencies", [])]
        return services.update(self.fresh(), **values) if self.instance.pk else services.register(**values)


def _restart(page: BaseAdmin, request: HttpRequest, chosen: "QuerySet[Any]") -> None:
    for service in chosen:
        try:
            call = asking.restart(service, owner=request.user.get_username(), caller="admin")
        except StewardError as refusal:
            page.message_user(request, f"{service}: {refusal.message}", messages.WARNING)
        else:
            page.message_user(request, f"A restart of {service} is asked for: {call.uid}.", messages.SUCCESS)


_restart.short_description = "Restart"  # type: ignore[attr-defined]
_restart.scope = RUN  # type: ignore[attr-defined]


@admin.register(Service)
class ServiceAdmin(BaseAdmin):
    """What is looked after."""

    view_scope, change_scope, delete_scope = SEE, KEEP, KEEP
    form = ServiceForm
    list_display = ["name", "status", "health", "instances", "controller", "may_be_restarted", "may_be_scaled", "checked_at"]
    list_filter = ["status", "health", "controller"]
    search_fields = ["name", "description", "uid"]
    actions = [deed("Look now", standing.check, scope=ACT), _restart]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Service.living.all()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees the parameters with their secrets masked."""
        hidden = {} if self.has_change_permission(request, obj) else {"params": "masked_params"}
        found = [
            (title, {"fields": [hidden.get(name, name) for name in names], "description": NOTES.get(title, "")})
            for title, names in SECTIONS
        ]
        return [*found, ("How it stands", {"fields": SEEN})] if obj else found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*SEEN, "masked_params"] if obj else []

    @admin.display(description="what the controller knows")
    def masked_params(self, service: Service) -> str:
        """Indented JSON."""
        return format_html('<pre class="json">{}</pre>', words.json_html(services.shown_params(service)))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        services.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing is deleted with it; what stands on it keeps it there, and that is said here."""
        above = [f"{one} stands on it" for obj in objs for one in obj.dependents.filter(deleted_at__isnull=True)]
        return [str(one) for one in objs], {}, set(), above
