"""Kinds of fields, and what all forms of this room have in common."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms

from config.kernel.flow.errors import InvalidInput
from config.kernel.wire.redact import MASK
from config.look.fields import MONO, Editor


@dataclass(frozen=True)
class Section:
    """Fields that answer one question, under its heading. `is_open`: shown at once, not behind its heading."""

    title: str
    lead: str
    fields: Sequence[forms.BoundField]
    is_open: bool


class Asking(forms.Form):
    """A form in sections. `layout`: heading, sentence, names of its fields, whether it is shown at once."""

    layout: Sequence[tuple[str, str, Sequence[str], bool]] = ()

    def sections(self) -> Iterator[Section]:
        """In the order a person thinks; a section with a mistake in it, or with something filled in, is open."""
        for title, lead, names, is_open in self.layout:
            found = [self[name] for name in names if name in self.fields]
            if found:
                yield Section(title, lead, found, is_open or any(self._needs_eyes(field) for field in found))

    def _needs_eyes(self, field: forms.BoundField) -> bool:
        return bool(field.errors) or (not self.is_bound and field.value() not in (None, "", [], {}, "{}", False, field.field.initial))

    def blame(self, error: InvalidInput) -> None:
        """Put what a service found wrong beside the fields that it names, the rest on top."""
        for name, sentences in error.fields.items():
            known = name.partition(".")[0]
            for sentence in sentences:
                self.add_error(known if known in self.fields else None, sentence if known == name else f"{name}: {sentence}")
        if not error.fields:
            self.add_error(None, error.message)


class Lines(forms.CharField):
    """A list, one item a line."""

    def __init__(self, *, rows: int = 4, **options: Any) -> None:
        super().__init__(**{"widget": Editor(rows=rows), **options})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or [])

    def to_python(self, value: Any) -> Any:
        return [line for part in (super().to_python(value) or "").splitlines() if (line := part.strip())]


class Delays(forms.CharField):
    """Whole numbers of seconds, by comma."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else ", ".join(str(one) for one in value or [])

    def to_python(self, value: Any) -> Any:
        parts = [part.strip() for part in (super().to_python(value) or "").split(",") if part.strip()]
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise forms.ValidationError("Write whole numbers of seconds with commas between, such as 0, 60, 900.")
        return [int(part) for part in parts]


class Headers(forms.CharField):
    """HTTP headers, `Name: value` a line. Stored values are shown masked; a line that is left masked keeps its value."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"widget": Editor(rows=3), **options})
        self.stored: Mapping[str, str] = {}

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(f"{name}: {MASK}" for name in value or {})

    def to_python(self, value: Any) -> Any:
        found: dict[str, str] = {}
        for line in (super().to_python(value) or "").splitlines():
            name, colon, text = (part.strip() for part in line.partition(":"))
            if not (name or text):
                continue
            if not (name and colon):
                raise forms.ValidationError(f"“{line.strip()[:60]}” is no header. Write Name: value, one a line.")
            found[name] = self.stored.get(name, text) if text == MASK else text
        return found or None


class SecretForm(forms.Form):
    """A new secret: made by us, or one of the person's own."""

    secret = forms.CharField(
        label="Secret of your own",
        required=False,
        max_length=300,
        strip=False,
        widget=forms.TextInput(attrs=MONO),
        help_text="Leave it empty to have a random one made, which is shown once.",
    )
    overlap_hours = forms.IntegerField(
        label="Overlap (hours)",
        min_value=0,
        max_value=720,
        help_text="How long the old secret stays in use beside the new one. 0 ends it at once.",
    )
