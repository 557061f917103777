"""Admin pages of rules, which are edited here as on the dashboard, and of what came of them. Each deed is one call of a service."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from automation.enums import Mode
from automation.forms.rules import LAYOUT, NAMES, give_stored, initial_of, with_defaults
from automation.forms.rules import RuleForm as RuleQuestions
from automation.models import Execution, Rule, RuleState, Verdict
from automation.services import executions, rules
from automation.services.judging import wording
from config.doors.admin import BaseAdmin, DeedForm, ReadOnlyAdmin, deed
from config.kernel.desk import permissions
from config.kernel.flow import context
from config.kernel.flow.errors import InvalidInput, StewardError
from config.look import words
from config.look.parameters import DrawsParameters

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "actions:execute_standard"
# What the form of the model would draw otherwise.
DRAWN = ("trigger", "trigger_params", "condition", "conditions", "actions", "clear_condition")


class RuleForm(DrawsParameters, DeedForm):
    """Asks as the dashboard does: the same fields, words and units. Only who may do everything chooses whose rights it has."""

    owner = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        required=False,
        empty_label="system",
        help_text="Its actions run with the rights of this user, whenever it fires.",
    )
    for name in DRAWN:
        locals()[name] = RuleQuestions.base_fields[name]
    del name

    class Meta:
        model = Rule
        fields = [*NAMES, "owner"]

    class Media:
        css = {"all": ("css/rules.css",)}
        js = ("js/parameters.js", "js/rules.js")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        asked = RuleQuestions().fields
        self.fields.update({name: asked[name] for name in self.fields if name in asked and name not in DRAWN})
        for field in self.fields.values():
            field.help_text = str(field.help_text).replace("`", "")
        self.initial = {**self.initial, **initial_of(self.instance)}
        give_stored(self, self.initial)

    def _post_clean(self) -> None:
        """The service cleans the row; the model's own checks would say the same again, in other words."""

    def clean(self) -> dict[str, Any]:
        self.cleaned_data = with_defaults(self.cleaned_data)
        return super().clean()

    def refused(self, refusal: StewardError) -> None:
        """Beside the drawn field that it names."""
        if isinstance(refusal, InvalidInput):
            self.blame(refusal)
        else:
            super().refused(refusal)

    def deed(self) -> Rule:
        fields = {name: self.cleaned_data[name] for name in NAMES}
        editor: Any = self.request.user if self.request is not None else None
        made = rules.update(self.fresh(), editor=editor, **fields) if self.instance.pk else rules.create(owner=editor, **fields)
        # Somebody who may not choose does not have the field.
        return rules.give(made, owner=self.cleaned_data["owner"]) if "owner" in self.changed_data else made


@admin.register(Rule)
class RuleAdmin(BaseAdmin):
    """When this happens, and if that holds, then do."""

    view_scope, change_scope, delete_scope = SEE, MANAGE, MANAGE
    form = RuleForm
    list_display = ["name", "mode", "when", "owner", "last_fired_at"]
    list_filter = ["mode", "trigger", "severity"]
    list_select_related = ["owner"]
    search_fields = ["=uid", "name", "about"]
    actions = [
        deed("Switch on", lambda rule: _switch(rule, Mode.ON), scope=MANAGE),
        deed("Only in shadow", lambda rule: _switch(rule, Mode.SHADOW), scope=MANAGE),
        deed("Switch off", lambda rule: _switch(rule, Mode.OFF), scope=MANAGE),
        deed("Run now", lambda rule: bool(executions.run_now(rule, user=context.current().actor)), scope=RUN),
        deed("Delete", rules.delete, scope=MANAGE, name="delete_rules"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Rule.living.select_related("owner")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """As the dashboard asks; who may only look sees it in plain words."""
        if not self._may_type(request, obj):
            return [(None, {"fields": ["name", "about", "mode", "plain_words", "owner", "revision", "changed_at", "last_fired_at"]})]
        last = ("Whose rights", {"description": "Left alone, it is whoever adds it.", "fields": ["owner"]})
        asked = [
            (title, {"description": lead.replace("`", ""), "fields": names, "classes": ["collapse"] if key == "calm" else []})
            for key, title, lead, names in LAYOUT
        ]
        return [*asked, last] if permissions.may(request.user, permissions.ALL) else asked

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if self._may_type(request, obj) else ["plain_words", "revision", "changed_at", "last_fired_at"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        """The form knows who types, so that its rehearsal asks for the right rights."""
        made = super().get_form(request, obj, change, **options)
        return type(made.__name__, (made,), {"request": request})

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_changeform_initial_data(request), "owner": request.user.pk}

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj is not None and obj.managed_by)

    def _may_type(self, request: HttpRequest, obj: Any) -> bool:
        return self.has_change_permission(request, obj) if obj is not None else self.has_add_permission(request)

    @admin.display(description="when")
    def when(self, rule: Rule) -> str:
        """What wakes it."""
        return wording.when(rule)

    @admin.display(description="how it reads")
    def plain_words(self, rule: Rule) -> str:
        """In plain words."""
        holds = " and ".join(wording.conditions(rule))
        then = "; ".join(wording.steps(rule)) or "nothing"
        return f"When {wording.when(rule)}{f', if {holds}' if holds else ''}: {then}."

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        rules.delete(obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its executions and verdicts stay until their retention ends."""
        return [str(one) for one in objs], {}, set(), []


def _switch(rule: Rule, mode: str) -> bool:
    before, editor = rule.revision, User.objects.filter(username=context.current().actor).first()
    return rules.set_mode(rule, mode, editor=editor).revision != before


class OfRules(ReadOnlyAdmin):
    """Rows that came of rules."""

    view_scope = SEE

    @admin.display(description="parts")
    def shown_parts(self, row: Any) -> str:
        """Each part of the condition as a sentence."""
        return "; ".join(part.get("sentence", "") for part in row.parts) or words.NOTHING


@admin.register(Execution)
class ExecutionAdmin(OfRules):
    """One waking of a rule, and what became of it."""

    list_display = ["short_uid", "name", "source", "status", "is_shadow", "reason", "created_at", "ended_at"]
    list_filter = ["status", "source", "is_shadow", "created_at"]
    list_select_related = ["rule"]
    search_fields = ["=uid", "name", "=subject", "=error_code", "=correlation_id"]
    exclude = ["actions", "key", "parts"]
    readonly_fields = ["shown_parts", "shown_actions"]
    actions = [deed("Cancel", lambda one: executions.cancel(one, reason="Cancelled in the administration."), scope=RUN)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("rule", "event")

    @admin.display(description="actions")
    def shown_actions(self, execution: Execution) -> str:
        """What they do, secrets hidden."""
        return "; ".join(wording.step(step) for step in execution.actions or []) or words.NOTHING


@admin.register(Verdict)
class VerdictAdmin(OfRules):
    """How rules were judged, run-length."""

    list_display = ["rule", "subject", "result", "text", "count", "last_at"]
    list_filter = ["result", "reason"]
    list_select_related = ["rule"]
    search_fields = ["=rule__uid", "rule__name", "=subject", "=event_uid"]
    exclude = ["parts"]
    readonly_fields = ["shown_parts"]


@admin.register(RuleState)
class RuleStateAdmin(ReadOnlyAdmin):
    """What rules remember between two wakings."""

    view_scope = SEE
    list_display = ["rule", "subject", "due_at", "quiet_at", "held_for", "is_active", "fired_at", "link"]
    list_filter = ["is_active"]
    list_select_related = ["rule", "verdict"]
    search_fields = ["=rule__uid", "rule__name", "=subject"]

    @admin.display(description="held for", ordering="held_seconds")
    def held_for(self, state: RuleState) -> str:
        """How long its condition has held."""
        return words.lasting(state.held_seconds) if state.held_seconds else words.NOTHING

    @admin.display(description="verdict")
    def link(self, state: RuleState) -> Any:
        """The verdict in force."""
        return format_html("{}", state.verdict.text) if state.verdict else words.NOTHING
