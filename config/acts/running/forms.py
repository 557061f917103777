"""Parameters of actions and other plug-ins: read from JSON by their form, described as JSON Schema, masked where shown.
Called by `invocations`, and by rules, queues and services for the parameters that they keep."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms

from config.acts.plugins.fields import JSON, Length, Words
from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text
from config.kernel.wire import redact

__all__ = ["JSON", "Form", "Length", "Words", "clean", "keeping_secrets", "masked", "schema", "secret_names", "without_secrets"]
Form = type[forms.BaseForm]
# Shorter secrets cannot be told from words.
SECRET_LETTERS = 6


def clean(form: Form, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the form takes them, each a JSON value; what was left out has its initial value.

    Raises InvalidInput with a sentence for each name that is unknown, missing or wrong.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput("The parameters must be a JSON object of names and values.", fields={"params": ["Send an object."]})
    fields = form.base_fields  # type: ignore[attr-defined]
    problems = _unknown(given, fields)
    values = {name: _default(field) if given.get(name) is None else given[name] for name, field in fields.items()}
    problems |= {name: [sentence] for name, field in fields.items() if (sentence := _wrong_kind(field, values[name]))}
    if not problems:
        bound = form({name: value for name, value in values.items() if value is not None})
        if bound.is_valid():
            return {name: _plain(value) for name, value in bound.cleaned_data.items()}
        problems = {"params" if name == "__all__" else name: [str(one) for one in found] for name, found in bound.errors.items()}
    first = next(iter(problems))
    raise InvalidInput(f"The parameter {first} cannot be taken: {problems[first][0]}", fields=problems)


def keeping_secrets(form: Form, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with secrets that are left out, empty or masked as they are stored: who is shown none can send none."""
    stays = (name for name in secret_names(form) if stored.get(name) and given.get(name) in (None, "", redact.MASK))
    return {**given, **{name: stored[name] for name in stays}}


def schema(form: Form) -> dict[str, Any]:
    """The form as JSON Schema (2020-12), for OpenAPI and the admin."""
    fields = form.base_fields  # type: ignore[attr-defined]
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(name, field) for name, field in fields.items()},
        "additionalProperties": False,
    }
    if required := [name for name, field in fields.items() if field.required and field.initial is None]:
        found["required"] = required
    return found


def secret_names(form: Form) -> frozenset[str]:
    """Fields whose values must not be shown: those typed into a PasswordInput."""
    return frozenset(name for name, field in form.base_fields.items() if isinstance(field.widget, forms.PasswordInput))  # type: ignore[attr-defined]


def masked(form: Form | None, params: Mapping[str, Any]) -> dict[str, Any]:
    """A copy to be shown: secrets of the form, and whatever has a telling name or look, as `********`."""
    hidden = secret_names(form) if form is not None else frozenset(params)
    return {name: redact.MASK if name in hidden and value not in (None, "") else _redacted(name, value) for name, value in params.items()}


def without_secrets(form: Form, params: Mapping[str, Any], value: Any) -> Any:
    """What came of a call with `params`, JSON of any kind: every secret parameter masked wherever a text repeats it."""
    found = {text for name in secret_names(form) for text in _texts(params.get(name)) if len(text) >= SECRET_LETTERS}
    return _without(value, sorted(found, key=len, reverse=True)) if found else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _without(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for one in secrets:
            value = value.replace(one, redact.MASK)
        return value
    if isinstance(value, Mapping):
        return {name: _without(item, secrets) for name, item in value.items()}
    return [_without(item, secrets) for item in value] if isinstance(value, list) else value


def _redacted(name: str, value: Any) -> Any:
    return redact.data({name: value})[name]


def _unknown(given: Mapping[str, Any], fields: Mapping[str, forms.Field]) -> dict[str, list[str]]:
    found = {}
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            known = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(fields) or 'none'}."
            found[str(name)] = [f"There is no such parameter. {known}"]
    return found


def _default(field: forms.Field) -> Any:
    return field.initial() if callable(field.initial) else field.initial


def _wrong_kind(field: forms.Field, value: Any) -> str:
    """A form takes everything for text; JSON knows better."""
    if value is None or isinstance(field, Words | JSON | Length | forms.MultipleChoiceField):
        return ""
    if isinstance(field, forms.BooleanField) and not isinstance(field, forms.NullBooleanField):
        return "" if isinstance(value, bool) or value in ("true", "false") else "This must be true or false."
    if isinstance(value, dict | list):
        return "This must be a single value."
    if isinstance(field, forms.DateField | forms.TimeField | forms.DateTimeField) and not isinstance(value, str | date | time):
        return "This must be a time as text, such as 2026-01-31T12:00:00Z."
    if isinstance(value, bool) and not isinstance(field, forms.NullBooleanField):
        return "This must be a number." if isinstance(field, forms.IntegerField) else "This must be text."
    return ""


def _plain(value: Any) -> Any:
    """A cleaned value as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset | tuple):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    if isinstance(value, date | time):
        return json_text.write(value).decode().strip('"') if hasattr(value, "tzinfo") and hasattr(value, "year") else value.isoformat()
    return value


_TYPES: tuple[tuple[type[forms.Field], dict[str, Any]], ...] = (
    (Words, {"type": "array", "items": {"type": "string"}}),
    (Length, {"type": ["number", "string"], "description": "seconds, or text such as 5m"}),
    (JSON, {}),
    (forms.BooleanField, {"type": "boolean"}),
    (forms.FloatField, {"type": "number"}),
    (forms.DecimalField, {"type": "number"}),
    (forms.IntegerField, {"type": "integer"}),
    (forms.MultipleChoiceField, {"type": "array", "items": {"type": "string"}}),
    (forms.DateTimeField, {"type": "string", "format": "date-time"}),
    (forms.URLField, {"type": "string", "format": "uri"}),
    (forms.EmailField, {"type": "string", "format": "email"}),
)


def _property(name: str, field: forms.Field) -> dict[str, Any]:
    found = dict(next((kind for cls, kind in _TYPES if isinstance(field, cls)), {"type": "string"}))
    if isinstance(field, JSON) and field.kind in (dict, list):
        found["type"] = "object" if field.kind is dict else "array"
    found["title"] = str(field.label or name.replace("_", " ").capitalize())
    if about := " · ".join(part for part in (str(field.help_text), found.pop("description", "")) if part):
        found["description"] = about
    if (initial := _default(field)) is not None:
        found["default"] = _plain(initial)
    if isinstance(field, forms.ChoiceField):
        listed = [value for value, _ in field.choices if value != ""]  # type: ignore[misc,union-attr]
        (found["items"] if isinstance(field, forms.MultipleChoiceField) else found)["enum"] = listed
    for ours, theirs in (("min_value", "minimum"), ("max_value", "maximum"), ("min_length", "minLength"), ("max_length", "maxLength")):
        limit = getattr(field, ours, None)
        if limit is not None and not isinstance(field, Words):
            found[theirs] = _plain(limit)
    if isinstance(field.widget, forms.PasswordInput):
        found |= {"format": "password", "writeOnly": True}
    return found
