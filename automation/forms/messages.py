"""Fields and forms of what is sent to people. Used by actions and the dashboard."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from config.acts.running.forms import Words
from config.kernel.models import Notification


class Addresses(Words):
    """Addresses of mail, one a line."""

    def to_python(self, value: Any) -> list[str]:
        """Each must look like an address."""
        found = super().to_python(value)
        for one in found:
            self.check_one(one)
        return found

    def check_one(self, one: str) -> None:
        """Raises ValidationError with a sentence."""
        try:
            validate_email(one)
        except ValidationError:
            raise ValidationError(f"{one!r} is no e-mail address.") from None


class Recipients(Addresses):
    """Addresses of mail and channels of Slack, one a line."""

    def check_one(self, one: str) -> None:
        """A channel begins with `#`."""
        if not (one.startswith("#") and len(one) > 1):
            super().check_one(one)


class MessageForm(forms.Form):
    """Whom to tell what, how urgently, and by which channels."""

    recipients = Recipients(required=False, help_text="E-mail addresses, or #channels of Slack. Empty: who is configured.")
    message = forms.CharField(max_length=20_000, widget=forms.Textarea)
    title = forms.CharField(required=False, max_length=200, help_text="Empty: the first line of the message.")
    urgency = forms.ChoiceField(choices=Notification.Urgency.choices, initial=Notification.Urgency.NORMAL)
    channels = forms.MultipleChoiceField(
        required=False,
        choices=Notification.Channel.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text="Empty: the dashboard, and what the recipients ask for; without recipients all that are configured.",
    )


class SlackForm(forms.Form):
    """A message to a channel of Slack."""

    channel = forms.CharField(max_length=100, help_text="Such as #ops-alerts.")
    message = forms.CharField(max_length=20_000, widget=forms.Textarea)
    urgency = forms.ChoiceField(choices=Notification.Urgency.choices, initial=Notification.Urgency.NORMAL)
