"""Kinds of form fields that dashboard and admin share. Used by the forms of the roof and of each app."""

import json
from collections.abc import Callable
from typing import Any

from django import forms

from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text

# Browsers and password managers leave what is marked like this alone.
PLAIN_TYPING = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}
MONO = {"class": "mono", **PLAIN_TYPING}
TALLEST = 30


class Editor(forms.Textarea):
    """Text of a machine: monospaced, at least `rows` lines high, and as high as what is in it."""

    def __init__(self, *, rows: int) -> None:
        super().__init__(attrs={**MONO, "rows": rows})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        found = super().get_context(name, value, attrs)
        shown = found["widget"]["attrs"]
        shown["rows"] = max(shown["rows"], min(TALLEST, str(value or "").count("\n") + 2))
        return found


class PrettyJSON(forms.JSONField):
    """A JSON object, indented when it is shown; what was typed stays as it was typed. `empty` makes what an empty field stands for."""

    def __init__(self, *, rows: int = 5, empty: Callable[[], Any] = dict, **options: Any) -> None:
        self.empty = empty
        super().__init__(**{"widget": Editor(rows=rows), **options})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False) if value else ""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return initial if self.disabled else data

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            found = json_text.read(value.encode(errors="replace"), what="This")
        except InvalidInput as error:
            raise forms.ValidationError(error.message, code="invalid") from None
        if not isinstance(found, dict):
            raise forms.ValidationError("This must be a JSON object: names and values in curly brackets.", code="invalid")
        return found

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return self.empty() if found is None else found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(initial or None, data)
