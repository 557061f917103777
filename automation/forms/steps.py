"""The actions of a rule as a list of drawn fields: added, moved and removed by buttons. Used by the form of rules.

Rows keep their number for as long as the page is filled in; `NAME-order` says in which order they stand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from config.acts.plugins.actions import actions
from config.look.parameters import LOOK, REDRAW, DrawsParameters, ParametersField, ParametersWidget, Typed, choices_of

TEMPLATE = "automation/forms/steps.html"
MOST = 20
# What is filled in when the rule fires; until then nobody can say whether it is a number.
LATER = "${"


class StepWidget(ParametersWidget):
    """Fields in which a value of the event may stand for what is typed."""

    def _form(self, key: str, name: str, *, data: Any = None, files: Any = None, typed: Typed | None = None) -> Any:
        made = super()._form(key, name, data=data, files=files, typed=typed)
        for field_name, field in made.fields.items() if made is not None else ():
            if isinstance(field.widget, forms.NumberInput):
                field.widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
            elif LATER in str(self.kept(key).get(field_name, "")) and not isinstance(field.widget, forms.Textarea | forms.PasswordInput):
                field.widget = forms.TextInput()
        return made


class StepParameters(ParametersField):
    """As its parent, but what holds `${…}` is left as it is typed."""

    def clean(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Typed) and value.form is not None and not value.is_other:
            _set_aside(value.form)
        return super().clean(value)


def _set_aside(form: Any) -> None:
    """Take typed `${…}` out of what the form finds wrong."""
    wrong = form.errors
    for name, field in form.fields.items():
        typed = field.widget.value_from_datadict(form.data, form.files, form.add_prefix(name))
        if isinstance(typed, str) and LATER in typed and name in wrong:
            del wrong[name]
            form.cleaned_data[name] = typed.strip()


class StepForm(DrawsParameters, forms.Form):
    """One action."""

    action = forms.ChoiceField(label="Action", choices=partial(choices_of, actions, empty="Choose what is done"))
    params = StepParameters(actions, chosen_by="action", widget=StepWidget(actions))


@dataclass(frozen=True)
class Row:
    """One action with its number, and what a service says of the whole of it."""

    number: int
    form: StepForm
    said: Sequence[str] = ()


@dataclass(frozen=True)
class TypedSteps:
    """What was typed: the rows in their order. `fresh`: the one that was just added."""

    rows: Sequence[Row]
    fresh: int | None = None


class StepsWidget(forms.Widget):
    """Draws the rows."""

    use_fieldset = True

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.stored: Sequence[Mapping[str, Any]] = ()
        self.blamed: Mapping[str, Sequence[str]] = {}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}-order" not in data

    def value_from_datadict(self, data: Any, files: Any, name: str) -> TypedSteps:
        order = [int(one) for one in data.get(f"{name}-order", "").split(",") if one.isascii() and one.isdigit() and len(one) < 6][:MOST]
        order, fresh = _moved(list(dict.fromkeys(order)), str(data.get(REDRAW, "")), name)
        return TypedSteps([Row(number, self._form(name, number, data, files)) for number in order], fresh)

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        if isinstance(value, TypedSteps):
            rows, fresh = [self._blame(place, row) for place, row in enumerate(value.rows)], value.fresh
        else:
            rows, fresh = [Row(number, self._form(name, number)) for number in range(len(self.stored))], None
        shown = {"name": name, "rows": rows, "order": ",".join(str(row.number) for row in rows), "fresh": fresh}
        return render_to_string(TEMPLATE, {**shown, "redraw": REDRAW, "is_full": len(rows) >= MOST})

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""

    def blame(self, where: str, sentences: Sequence[str]) -> bool:
        """Have sentences of a service stand beside `0`, `0.params` or `0.params.url`."""
        place, _, _ = where.partition(".")
        if not place.isdigit():
            return False
        self.blamed = {**self.blamed, where: sentences}
        return True

    def _form(self, name: str, number: int, data: Any = None, files: Any = None) -> StepForm:
        stored = self.stored[number] if number < len(self.stored) else {}
        return StepForm(data, files, prefix=f"{name}-{number}", initial=dict(stored), use_required_attribute=False)

    def _blame(self, place: int, row: Row) -> Row:
        said: list[str] = []
        for where, sentences in self.blamed.items():
            index, _, rest = where.partition(".")
            if index != str(place):
                continue
            field = rest.removeprefix("params").removeprefix(".")
            if not (field and cast("StepWidget", row.form.fields["params"].widget).blame(field, sentences)):
                said += sentences
        return Row(row.number, row.form, said)


class StepsField(forms.Field):
    """A list of `{"action": key, "params": {…}}`."""

    widget = StepsWidget

    def clean(self, value: Any) -> list[dict[str, Any]]:
        rows = value.rows if isinstance(value, TypedSteps) else ()
        if not all(row.form.is_valid() for row in rows):
            raise forms.ValidationError(LOOK, code="invalid")
        return [{"action": row.form.cleaned_data["action"], "params": row.form.cleaned_data["params"]} for row in rows]

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != list(initial or [])
        except forms.ValidationError:
            return True


def _moved(order: list[int], asked: str, name: str) -> tuple[list[int], int | None]:
    """The order after the button that was pressed, and the row that it added."""
    field, _, deed = asked.partition(":")
    verb, _, which = deed.partition(":")
    if field != name or (which and (not which.isdigit() or int(which) not in order)):
        return order, None
    if verb == "add" and len(order) < MOST:
        fresh = max(order, default=-1) + 1
        return [*order, fresh], fresh
    place = order.index(int(which)) if which else 0
    if verb == "remove" and which:
        del order[place]
    elif verb in ("up", "down") and which:
        other = place - 1 if verb == "up" else place + 1
        if 0 <= other < len(order):
            order[place], order[other] = order[other], order[place]
    return order, None
