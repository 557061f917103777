"""What to report, of when, and to whom. Used by the action and the dashboard."""

from datetime import datetime, timedelta
from typing import Any

from django import forms

from automation.forms.messages import Addresses
from config.acts.plugins.reporters import KINDS
from config.acts.running.forms import Length
from config.kernel.flow import clock

CHOICES = [(kind, kind.capitalize()) for kind in KINDS]


class ReportForm(forms.Form):
    """The parameters of `automation.generate_report`."""

    report_types = forms.MultipleChoiceField(choices=CHOICES, widget=forms.CheckboxSelectMultiple, help_text="Which parts it has.")
    recipients = Addresses(required=False, help_text="E-mail addresses that get it as a file; none: it is only kept.")
    period = Length(required=False, initial="24h", max_seconds=366 * 86400, help_text="How far back it reaches, such as 24h or 7d.")
    since = forms.DateTimeField(required=False, help_text="From when on, instead of the period.")
    until = forms.DateTimeField(required=False, help_text="Until when; empty: now.")


class ReportPage(forms.Form):
    """As a person asks on the dashboard: one of a few periods."""

    report_types = forms.MultipleChoiceField(
        label="What it tells of", choices=CHOICES, initial=["system", "webhooks", "automation"], widget=forms.CheckboxSelectMultiple
    )
    period = forms.ChoiceField(
        label="Period",
        choices=[("24h", "the last 24 hours"), ("7d", "the last 7 days"), ("30d", "the last 30 days"), ("365d", "the last 365 days")],
    )
    recipients = Addresses(
        label="Send it to", required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text="E-mail addresses, one a line."
    )

    def since(self) -> datetime:
        """The beginning of the period."""
        number, unit = int(self.cleaned_data["period"][:-1]), self.cleaned_data["period"][-1]
        return clock.now() - timedelta(**{"hours" if unit == "h" else "days": number})

    def deed_fields(self) -> dict[str, Any]:
        """What `reports.generate` asks for."""
        typed = self.cleaned_data
        return {"types": typed["report_types"], "since": self.since(), "recipients": typed["recipients"]}
