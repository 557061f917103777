"""What to back up, and for how long it is kept. Used by the action and the dashboard."""

from django import forms

from automation.services.backups import TYPES, USUAL_DAYS

LABELS = {"config": "Configuration: endpoints, sources, rules, queues, services, options; without secrets"}
CHOICES = [(kind, LABELS.get(kind, kind.capitalize())) for kind in TYPES]


class BackupForm(forms.Form):
    """The parameters of `automation.backup_data`."""

    backup_types = forms.MultipleChoiceField(
        label="What", choices=CHOICES, initial=["database", "config"], widget=forms.CheckboxSelectMultiple
    )
    retention_days = forms.IntegerField(
        label="Days to keep",
        min_value=1,
        max_value=3650,
        initial=USUAL_DAYS,
        help_text="Once this one is made, those of the same types that are older than this are removed.",
    )
