"""The parameters of a plug-in, drawn as fields: whoever chooses another plug-in is shown its fields, and nothing that was typed is lost.
Used by the forms of rules, queues and services, in the admin and on the dashboard alike.

    class ServiceForm(DrawsParameters, forms.Form):
        controller = forms.ChoiceField(choices=partial(choices_of, controllers))
        params = ParametersField(controllers, chosen_by="controller")

`cleaned_data["params"]` is what the plug-in's form made of it, as JSON has it. With scripts a choice redraws at once
(`js/parameters.js`), without them by a button; both send the whole form with `_redraw`, which checks and saves nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson
from django import forms
from django.forms.utils import ErrorDict
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from config.kernel.flow.errors import InvalidInput
from config.kernel.plugins.registry import Registry
from config.look import words

REDRAW = "_redraw"
STORED = "Stored. Leave it empty to keep it."
TEMPLATE = "components/parameters.html"
ROWS = 3  # of a text, where the plug-in says nothing
LOOK = "Look at what is marked here."

if TYPE_CHECKING:
    Base = forms.Form
else:
    Base = object


def choices_of(registry: Registry[Any], *, empty: str = "") -> list[tuple[str, str]]:
    """Keys with the titles of their plug-ins, by title; with `empty`, that sentence first."""
    found = sorted(((key, plugin.title or key) for key, plugin in registry.all().items()), key=lambda pair: pair[1].casefold())
    return [("", empty), *found] if empty else found


@dataclass(frozen=True)
class Typed:
    """What was typed for the plug-in `key`: its form, bound. `is_other`: the fields that were shown belong to another plug-in."""

    key: str
    form: Any
    is_other: bool


class ParametersWidget(forms.Widget):
    """Draws the fields of the chosen plug-in. What it must know of the form around it, DrawsParameters tells."""

    use_fieldset = True

    def __init__(self, registry: Registry[Any], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.registry = registry
        self.chooser = ""
        self.stored_key = ""
        self.drawn_key = ""
        self.stored: Mapping[str, Any] = {}
        self.is_redrawn = False
        self.blamed: Mapping[str, Sequence[str]] = {}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return self.chooser not in data

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Typed:
        key = str(data.get(self.chooser) or "")
        shown = str(data.get(f"{name}-plugin", key))
        return Typed(key, self._form(key, name, data=data, files=files), is_other=shown != key)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        key = value.key if isinstance(value, Typed) else self.stored_key
        form = value.form if isinstance(value, Typed) else self._form(key, name)
        if isinstance(value, Typed) and form is not None and (self.is_redrawn or value.is_other):
            form = self._form(key, name, typed=value)
        for field, sentences in self.blamed.items():
            form.add_error(field, [*sentences])
        plugin = self.registry.all().get(key)
        shown = {"name": name, "key": key, "form": form, "about": getattr(plugin, "about", ""), "redraw": REDRAW}
        return render_to_string(TEMPLATE, shown)

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""

    def blame(self, where: str, sentences: Sequence[str]) -> bool:
        """Have sentences of a service stand beside the plug-in's field `where`. False when the plug-in has none of that name."""
        plugin = self.registry.all().get(self.drawn_key)
        if plugin is None or where not in plugin.Parameters.base_fields:
            return False
        self.blamed = {**self.blamed, where: sentences}
        return True

    def kept(self, key: str) -> Mapping[str, Any]:
        """What is stored for the plug-in `key`; nothing when another one was."""
        return self.stored if key == self.stored_key else {}

    def _form(self, key: str, name: str, *, data: Any = None, files: Any = None, typed: Typed | None = None) -> Any:
        plugin = self.registry.all().get(key)
        if plugin is None:
            return None
        given = {} if typed is None else _typed_values(typed)
        made = plugin.Parameters(data, files, prefix=name, initial={**self.kept(key), **given}, use_required_attribute=False)
        for field_name, field in made.fields.items():
            if field.label is None:
                said = words.plain(field_name)
                field.label = said[:1].upper() + said[1:]
            if isinstance(field.widget, forms.Textarea) and field.widget.attrs.get("rows") == "10":
                field.widget.attrs["rows"] = ROWS
        for secret in secrets_of(made):
            if given.get(secret):
                made.fields[secret].widget.render_value = True  # it goes back to the person who has just typed it
            elif self.kept(key).get(secret):
                made.fields[secret].required = False
                made.fields[secret].widget.attrs["placeholder"] = STORED
        return made


class ParametersField(forms.Field):
    """One field of the form around it, which holds all fields of the plug-in that `chosen_by` names."""

    def __init__(self, registry: Registry[Any], *, chosen_by: str, **options: Any) -> None:
        super().__init__(**{"required": False, "widget": ParametersWidget(registry), "label": "Parameters", **options})
        self.chosen_by = chosen_by

    def clean(self, value: Any) -> dict[str, Any]:
        """The cleaned parameters. Mistakes are shown beside the plug-in's own fields."""
        widget = cast("ParametersWidget", self.widget)
        if not isinstance(value, Typed) or value.form is None:
            return {}  # the chooser says what is wrong with the choice
        if value.is_other:
            raise forms.ValidationError("These are the fields of your new choice. Look at them and save again.", code="other")
        if not value.form.is_valid():
            raise forms.ValidationError(LOOK, code="invalid")
        cleaned = dict(value.form.cleaned_data)
        kept = widget.kept(value.key)
        cleaned |= {name: kept[name] for name in secrets_of(value.form) if not cleaned.get(name) and kept.get(name)}
        return cast("dict[str, Any]", orjson.loads(orjson.dumps(cleaned, default=str)))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != (initial or {})
        except forms.ValidationError:
            return True


class DrawsParameters(Base):
    """Mixin, first of the bases: ties each ParametersField to its chooser, and takes `_redraw` for "show me", not for "save"."""

    class Media:
        js = ("js/parameters.js",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            if isinstance(field, ParametersField) and field.chosen_by in self.fields:
                self._tie(name, field)

    def _tie(self, name: str, field: ParametersField) -> None:
        widget, chooser = cast("ParametersWidget", field.widget), self[field.chosen_by]
        widget.chooser = chooser.html_name
        widget.stored_key = str(chooser.initial or "")
        widget.stored = self.get_initial_for_field(field, name) or {}
        widget.drawn_key = str(chooser.value() or "")
        widget.is_redrawn = self.is_redrawn
        chooser.field.widget.attrs["data-parameters"] = f"parameters-{self.add_prefix(name)}"

    def blame(self, error: InvalidInput) -> None:
        """Put what a service refused beside the fields that it names, those of plug-ins too; the rest on top."""
        for name, sentences in (error.fields or {"": [error.message]}).items():
            known, _, where = name.partition(".")
            field = self.fields.get(known)
            if where and field is not None and hasattr(field.widget, "blame") and field.widget.blame(where, sentences):
                shown: Sequence[str] = [] if known in self.errors else [LOOK]
            else:
                shown = sentences
            for sentence in shown:
                self.add_error(known if field is not None else None, sentence)

    @property
    def is_redrawn(self) -> bool:
        """Whether the person only wants to see other fields."""
        return self.is_bound and REDRAW in self.data

    def is_valid(self) -> bool:
        return not self.is_redrawn and super().is_valid()

    def full_clean(self) -> None:
        if not self.is_redrawn:
            super().full_clean()
            return
        self._errors = ErrorDict()
        self.cleaned_data: dict[str, Any] = {}


def secrets_of(form: forms.BaseForm | type[forms.BaseForm]) -> Iterator[str]:
    """Names of the fields whose values are never shown."""
    fields = form.fields if isinstance(form, forms.BaseForm) else form.base_fields  # type: ignore[attr-defined]
    return (name for name, field in fields.items() if isinstance(field.widget, forms.PasswordInput))


def _typed_values(typed: Typed) -> dict[str, Any]:
    """What was typed into fields of these names, as it was typed. An unticked box is not sent: it counts only where it was shown."""
    form, found = typed.form, {}
    for name, field in form.fields.items() if form else ():
        html_name = form.add_prefix(name)
        if html_name in form.data or not typed.is_other:
            found[name] = field.widget.value_from_datadict(form.data, form.files, html_name)
    return found
