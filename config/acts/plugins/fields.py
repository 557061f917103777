"""Kinds of fields that parameters of plug-ins have beside those of Django. Plug-ins and others take them from `acts.running.forms`."""

import math
import re
from typing import Any

from django import forms

from config.kernel.flow.errors import InvalidInput
from config.kernel.language import json_text

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LENGTH = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


class Words(forms.Field):
    """A list of texts; typed into a page, one a line."""

    widget = forms.Textarea

    def __init__(self, *, max_items: int = 100, max_length: int = 2000, **options: Any) -> None:
        self.max_items, self.max_length = max_items, max_length
        super().__init__(**options)

    def to_python(self, value: Any) -> list[str]:
        """Texts without the blanks around them, empty ones left out."""
        found = value.splitlines() if isinstance(value, str) else value or []
        if not isinstance(found, list | tuple) or not all(isinstance(word, str) for word in found):
            raise forms.ValidationError('This must be a list of texts: ["one", "two"].')
        words = [word.strip() for word in found if word.strip()]
        if len(words) > self.max_items or any(len(word) > self.max_length for word in words):
            raise forms.ValidationError(f"This may have {self.max_items} texts of {self.max_length} characters.")
        return words

    def prepare_value(self, value: Any) -> Any:
        """As a page shows it."""
        return "\n".join(value) if isinstance(value, list | tuple) else value


class JSON(forms.JSONField):
    """Any JSON value, or one of `kind` (`dict`, `list`); typed into a page as text."""

    def __init__(self, *, kind: type | None = None, **options: Any) -> None:
        self.kind = kind
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        """A text is read as JSON where it must be, or begins like an object or an array."""
        is_json = isinstance(value, str) and (self.kind is not None or value.lstrip()[:1] in ("{", "["))
        found = self._read(value) if is_json else value
        if found is not None and self.kind is not None and not isinstance(found, self.kind):
            raise forms.ValidationError(
                f"This must be a JSON {'object' if self.kind is dict else 'array' if self.kind is list else 'value'}."
            )
        return found

    def prepare_value(self, value: Any) -> Any:
        """As a page shows it; a text is what was typed, and read back as such. Nothing is an empty field, not the word null."""
        return value if value is None or isinstance(value, str) else super().prepare_value(value)

    def _read(self, text: str) -> Any:
        try:
            return json_text.read(text.encode(), what="This") if text.strip() else None
        except (InvalidInput, UnicodeEncodeError) as error:
            raise forms.ValidationError(getattr(error, "message", "This holds half of a sign (a lone surrogate). Leave it out.")) from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What came as JSON is there already."""
        return super().bound_data(data, initial) if isinstance(data, str) else data


class Length(forms.Field):
    """A length of time: a number of seconds, or text such as `90s`, `5m`, `1h30m`. Cleaned to seconds."""

    widget = forms.TextInput

    def __init__(self, *, min_seconds: float = 0, max_seconds: float = 366 * 86400, **options: Any) -> None:
        self.min_seconds, self.max_seconds = min_seconds, max_seconds
        super().__init__(**options)

    def to_python(self, value: Any) -> float | None:
        """Seconds, None where nothing was given."""
        if value in (None, ""):
            return None
        found = _seconds(value)
        if not self.min_seconds <= found <= self.max_seconds:
            raise forms.ValidationError(f"This must be from {self.min_seconds:g} to {self.max_seconds:g} seconds.")
        return found


def _seconds(value: Any) -> float:
    text = str(value).strip().lower().replace(" ", "")
    if _LENGTH.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        found = math.nan if isinstance(value, bool) else float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise forms.ValidationError("This must be a length of time: seconds, or text such as `90s`, `5m` or `1h30m`.")
    return found
