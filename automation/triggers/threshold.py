"""`automation.threshold`: a measured value passes a limit."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.engine.limits import named, written
from config.acts.plugins.triggers import Trigger, triggers

# Parameter → the name that must lie above it.
LIMITS = {
    "cpu_threshold": "cpu_usage",
    "memory_threshold": "memory_usage",
    "disk_threshold": "disk_usage",
    "response_time_threshold": "response_time",
}
OPERATORS = ((">", "above"), (">=", "at or above"), ("<", "below"), ("<=", "at or below"))


class ThresholdForm(forms.Form):
    """The usual limits by name, or any measured value; nothing at all leaves it to the rule's condition."""

    cpu_threshold = forms.FloatField(required=False, min_value=0, max_value=100, help_text="Processor, in %. It fires above.")
    memory_threshold = forms.FloatField(required=False, min_value=0, max_value=100, help_text="Memory, in %. It fires above.")
    disk_threshold = forms.FloatField(required=False, min_value=0, max_value=100, help_text="Disk, in %. It fires above.")
    response_time_threshold = forms.FloatField(required=False, min_value=0, help_text="Mean response time, in seconds. It fires above.")
    metric = forms.CharField(required=False, max_length=128, help_text="Any other measured value, by name.")
    operator = forms.ChoiceField(choices=OPERATORS, required=False, help_text="How it compares with the value. Empty: above.")
    value = forms.FloatField(required=False, help_text="The limit, in the unit of the metric.")
    match = forms.ChoiceField(choices=(("any", "any of them"), ("all", "all of them")), required=False, help_text="Empty: any of them.")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if bool(given.get("metric")) != (given.get("value") is not None):
            self.add_error("value" if given.get("metric") else "metric", "A metric and its value belong together; give both or neither.")
        return given


class PastLimit(Trigger):
    """The trigger."""

    title = "When a measured value passes a limit"
    about = "Judged with each sample. It fires once each time it comes true, and after each cooldown while it stays true."
    source = "threshold"
    wakes = "sample"
    Parameters = ThresholdForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return self.condition(params) or "the condition holds"

    def condition(self, params: Mapping[str, Any]) -> str:
        tests = [f"{name} > {written(params[key])}" for key, name in LIMITS.items() if params.get(key) is not None]
        if params.get("metric"):
            tests.append(f"{named(params['metric'])} {params.get('operator') or '>'} {written(params['value'])}")
        return (" AND " if params.get("match") == "all" else " OR ").join(tests)


triggers.register("automation.threshold", PastLimit(), module=__name__)
