"""What the admin pages of all apps stand on: permission strings instead of Django's four, and actions that call a service.
Used by `admin/` of each app."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import model_ngettext
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.text import slugify

from config.kernel.desk import permissions
from config.kernel.flow.errors import InvalidInput, StewardError, capture

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[Any]
else:
    ModelAdmin, ModelForm = admin.ModelAdmin, forms.ModelForm

Action = Callable[["BaseAdmin", HttpRequest, "QuerySet[Any]"], None]
NAMED = 3  # failures that the message names


class BaseAdmin(ModelAdmin):
    """Seeing asks for `view_scope`, adding and changing for `change_scope`. Nothing is deleted unless `delete_scope` is given.

    A page that changes rows has a DeedForm, or overrides `save_model` (and `delete_model`) with one call of a service.
    """

    view_scope: str = permissions.ALL
    change_scope: str | None = permissions.ALL
    add_scope: str | None = ""  # as change_scope
    delete_scope: str | None = None
    show_full_result_count = False
    list_per_page = 50

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return permissions.may(request.user, self.view_scope) or self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _may(request, self.change_scope)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may(request, self.change_scope if self.add_scope == "" else self.add_scope)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _may(request, self.delete_scope)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The deed of the form, where it has one; otherwise what Django does."""
        if not isinstance(form, DeedForm):
            super().save_model(request, obj, form, change)
            return
        form.request = request
        obj.pk = form.deed().pk

    def get_actions(self, request: HttpRequest) -> Any:
        """Only deeds that the caller may do; deleting in bulk would pass the services by."""
        found = super().get_actions(request)
        found.pop("delete_selected", None)
        return {name: action for name, action in found.items() if action and _may(request, getattr(action[0], "scope", None))}

    @admin.display(description="id", ordering="id")
    def short_uid(self, row: Any) -> str:
        """The end of the uid, which tells neighbours apart; the whole on hovering."""
        kind, _, body = row.uid.partition("_")
        shown = f"{kind}_…{body[-8:]}" if len(body) > 12 else row.uid
        return format_html('<span title="{}">{}</span>', row.uid, shown)


class DeedForm(ModelForm):
    """A form whose saving is one call of a service. It is rehearsed while the form is checked, so that a refusal shows beside its field."""

    request: HttpRequest | None = None
    beside: Mapping[str, str] = {}  # the service's name of a field → ours, where they differ

    def deed(self) -> Any:
        """Call the service with `cleaned_data` and give the row. The instance holds typed values already: use `fresh()`."""
        raise TypeError("a DeedForm says what its deed is")

    def fresh(self) -> Any:
        """The row as it is stored."""
        return type(self.instance)._default_manager.get(pk=self.instance.pk)

    def clean(self) -> dict[str, Any]:
        """Everything that the form itself can see, then the rehearsal."""
        given = super().clean() or {}
        self.cleaned_data = given
        if not self.errors:
            self._rehearse()
        return given

    def _rehearse(self) -> None:
        try:
            with transaction.atomic():
                self.deed()
                transaction.set_rollback(True)
        except StewardError as refusal:
            self.refused(refusal)

    def refused(self, refusal: StewardError) -> None:
        """Show what the service said, beside the fields that it names."""
        fields = refusal.fields if isinstance(refusal, InvalidInput) else {}
        for name, sentences in (fields or {"": [refusal.message]}).items():
            known = self.beside.get(whole := name.partition(".")[0], whole)
            said = sentences if known == name or not name else [f"{name}: {sentence}" for sentence in sentences]
            self.add_error(known if known in self.fields else None, [*said])


class ReadOnlyAdmin(BaseAdmin):
    """Rows that nobody types in. Actions are still possible."""

    change_scope = None
    add_scope = None
    delete_scope = None


def deed(description: str, function: Callable[[Any], object], *, scope: str, name: str = "") -> Action:
    """An admin action: `function(row)` for each chosen row, and one message that counts them. False means: nothing to do.

    A refusal (StewardError) or a failure of one row does not stop the others.
    """

    def act(page: BaseAdmin, request: HttpRequest, chosen: "QuerySet[Any]") -> None:
        results = [(row, _do(function, row, name or description)) for row in chosen]
        failures = [f"{row}: {said}" for row, said in results if isinstance(said, str)]
        done = sum(said is True for _, said in results)
        idle = len(results) - done - len(failures)
        text = f"{description}: {done} {model_ngettext(page.opts, done)} done"
        text += f", {idle} had nothing to do" if idle else ""
        text += f", {len(failures)} not possible. {' '.join(failures[:NAMED])}" if failures else "."
        page.message_user(request, text, messages.WARNING if failures else messages.SUCCESS)

    act.__name__ = name or slugify(description).replace("-", "_")
    act.short_description = description  # type: ignore[attr-defined]
    act.scope = scope  # type: ignore[attr-defined]
    return act


def _do(function: Callable[[Any], object], row: Any, name: str) -> bool | str:
    """True for done, False for nothing to do, a sentence for a refusal or a failure."""
    with capture("admin.deed_failed", deed=name, row=row.pk):
        try:
            return function(row) is not False
        except StewardError as refusal:
            return refusal.message
    return "It failed; the log says why."


def _may(request: HttpRequest, scope: str | None) -> bool:
    return scope is not None and permissions.may(request.user, scope)
