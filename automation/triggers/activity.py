"""`automation.activity`: more than so many people use the product."""

from collections.abc import Mapping
from typing import Any

from django import forms

from config.acts.plugins.triggers import Trigger, triggers


class ActivityForm(forms.Form):
    """How many."""

    activity_threshold = forms.IntegerField(min_value=0, help_text="It fires above so many distinct users within ACTIVE_USER_MINUTES.")


class ManyUsers(Trigger):
    """The trigger."""

    title = "When many people are active"
    about = "Distinct logged-in users of the last ACTIVE_USER_MINUTES. It fires once each time the number rises above."
    source = "user_activity"
    wakes = "sample"
    Parameters = ActivityForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"more than {params['activity_threshold']} users are active"

    def condition(self, params: Mapping[str, Any]) -> str:
        return f"active_users > {params['activity_threshold']}"


triggers.register("automation.activity", ManyUsers(), module=__name__)
