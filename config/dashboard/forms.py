"""What a person may type into the pages of the roof."""

from typing import Any

from django import forms

from config.kernel.models import EventType
from config.look.fields import PrettyJSON


class PublishForm(forms.Form):
    """A test event."""

    type = forms.ChoiceField(label="Type", help_text="Choose a type and load its example, then change what you like.")
    subject = forms.CharField(
        label="Subject", required=False, max_length=128, help_text="What it happened to, as kind:id. Example: order:42."
    )
    payload = PrettyJSON(label="Data", rows=16, help_text="JSON. It is checked against the schema of the type before anything is stored.")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = EventType.objects.exclude(origin=EventType.Origin.INBOUND).order_by("name").values_list("name", flat=True)
        chooser = self.fields["type"]
        assert isinstance(chooser, forms.ChoiceField)
        chooser.choices = [("", "Choose a type …"), *((name, name) for name in names)]
