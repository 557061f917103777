"""The form of a rule, in the order a person thinks: when, if, then, how calmly. Used by the dashboard and the admin."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from django import forms

from automation.enums import Concurrency, Mode, OnFailure, Severity
from automation.forms.conditions import ConditionField
from automation.forms.limits import LimitsField
from automation.forms.steps import StepsField, StepsWidget
from automation.models import Rule
from config.acts.enums import Priority
from config.acts.plugins.triggers import triggers
from config.acts.running.forms import Length
from config.look.fields import MONO
from config.look.parameters import DrawsParameters, ParametersField, choices_of

MODES = (
    (Mode.OFF, "Off: it sleeps"),
    (Mode.SHADOW, "Shadow: it is judged and records what it would have done; nothing is done"),
    (Mode.ON, "On: it acts"),
)
CHOOSE = "Choose what wakes it"


class Seconds(Length):
    """A length of time in whole seconds; shown as people say it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{"required": False, "max_seconds": 366 * 86400, "widget": forms.TextInput(attrs={"autocomplete": "off"}), **options}
        )

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return None if found is None else round(found)

    def prepare_value(self, value: Any) -> Any:
        """`300` as `5m`, `90` as `90s`; what was typed as it was typed."""
        if not isinstance(value, int) or isinstance(value, bool) or not value:
            return value or ""
        return next(f"{value // size}{unit}" for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")) if value % size == 0)


@dataclass(frozen=True)
class Section:
    """Fields that answer one question, under its heading."""

    key: str
    title: str
    lead: str
    fields: Sequence[forms.BoundField]
    is_folded: bool = False
    has_errors: bool = False
    says: str = ""


LAYOUT: Sequence[tuple[str, str, str, Sequence[str]]] = (
    ("what", "What it is", "", ("name", "about")),
    ("when", "When", "What wakes the rule.", ("trigger", "trigger_params")),
    (
        "if",
        "If",
        "What must hold then. Left empty, the trigger alone decides. What is not known never counts as true.",
        ("condition", "conditions"),
    ),
    ("then", "Then", "What is done, one after the other.", ("actions", "on_failure", "severity")),
    (
        "calm",
        "How calmly",
        "So that a rule that is right once is not a nuisance the next time. Lengths of time are typed as `90s`, `5m`, `2h`, `1d`.",
        (
            *("for_seconds", "cooldown_seconds", "debounce_seconds", "clear_condition", "max_per_hour", "subject_path"),
            *("concurrency", "max_parallel", "priority", "is_deferrable", "defer_minutes", "timeout_seconds"),
        ),
    ),
    ("mode", "Mode", "Begin with off or shadow, try and back-test it, then switch it on.", ("mode",)),
)
NAMES = tuple(name for _, _, _, names in LAYOUT for name in names)
# Empty stands for these.
WHERE_EMPTY = {"for_seconds": 0, "cooldown_seconds": 0, "debounce_seconds": 0, "max_parallel": 1, "defer_minutes": 30}


def initial_of(rule: Rule) -> dict[str, Any]:
    """What the fields show of a stored rule."""
    return {name: getattr(rule, name) for name in NAMES}


class RuleForm(DrawsParameters, forms.Form):
    """All that a person may say of a rule."""

    class Media:
        css = {"all": ("css/rules.css",)}
        js = ("js/parameters.js", "js/rules.js")

    name = forms.CharField(label="Name", max_length=120, help_text="Short and unlike others: “Queue is stuck”.")
    about = forms.CharField(
        label="What it is for",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For whoever finds it firing at night.",
    )
    trigger = forms.ChoiceField(label="Trigger", choices=partial(choices_of, triggers, empty=CHOOSE))
    trigger_params = ParametersField(triggers, chosen_by="trigger", label="Details")
    condition = ConditionField(
        label="Condition", help_text="Such as `cpu_usage > 80 AND duration > 5m`, or `data.status == 'critical'` for events."
    )
    conditions = LimitsField(label="Further limits", required=False, help_text="All of them must hold as well.")
    actions = StepsField(
        label="Actions",
        required=False,
        help_text="`${data.name}`, `${event.subject}` or `${cpu_usage}` in a field is filled in when the rule fires.",
    )
    on_failure = forms.ChoiceField(label="When an action fails", choices=((OnFailure.STOP, "stop there"), (OnFailure.CONTINUE, "go on")))
    severity = forms.ChoiceField(
        label="Alert",
        required=False,
        choices=Severity.choices,
        help_text="With a severity an alert is raised when it fires, and cleared when it is over. Then it needs no action.",
    )
    for_seconds = Seconds(label="Only after", help_text="How long it must have held without a dip. Times nobody measured do not count.")
    cooldown_seconds = Seconds(label="Then rest for", help_text="Nothing happens for so long after it fired.")
    debounce_seconds = Seconds(
        label="Wait until quiet for", help_text="Events only: it waits until none came for so long; the last one counts."
    )
    clear_condition = ConditionField(
        label="Over when",
        rows=2,
        has_names=False,
        help_text="What must hold before it may fire anew. Empty: its condition no longer holds.",
    )
    max_per_hour = forms.IntegerField(label="At most per hour", required=False, min_value=1, help_text="Times. Empty: no limit.")
    subject_path = forms.CharField(
        label="Each by itself",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={**MONO, "placeholder": "data.repository"}),
        help_text="A path in the event: each value has a count, a rest and a quiet time of its own.",
    )
    concurrency = forms.ChoiceField(
        label="While an earlier execution is open", choices=Concurrency.choices, help_text="What becomes of the later one."
    )
    max_parallel = forms.IntegerField(label="Several at once: how many", required=False, min_value=1, max_value=1000)
    priority = forms.TypedChoiceField(
        label="Priority", coerce=int, choices=Priority.choices, help_text="Who goes first when not all can run at once."
    )
    is_deferrable = forms.BooleanField(
        label="May wait while this machine is busy", required=False, help_text="Unless its priority is high or critical."
    )
    defer_minutes = forms.IntegerField(label="Wait at most (minutes)", required=False, min_value=1, max_value=1440)
    timeout_seconds = Seconds(label="Time for all actions", help_text="Then what runs is stopped. Empty: as the installation says.")
    mode = forms.ChoiceField(label="Mode", choices=MODES, widget=forms.RadioSelect)

    def __init__(self, *args: Any, rule: Rule | None = None, initial: Mapping[str, Any] | None = None, **options: Any) -> None:
        shown = {**initial_of(rule or Rule()), **(initial or {})}
        super().__init__(*args, initial=shown, use_required_attribute=False, **options)
        give_stored(self, shown)

    def clean(self) -> dict[str, Any]:
        return with_defaults(super().clean() or self.cleaned_data)

    def sections(self) -> Iterator[Section]:
        """In the order a person thinks; how calmly is folded until somebody said something there."""
        for key, title, lead, names in LAYOUT:
            fields = [self[name] for name in names]
            has_errors = any(field.errors for field in fields) if self.is_bound else False
            yield Section(key, title, lead, fields, key == "calm", has_errors, self._says() if key == "calm" else "")

    def _says(self) -> str:
        """What is set of the folded part, in few words."""
        usual = initial_of(Rule())
        changed = [name for name in LAYOUT[4][3] if name in self.fields and self.initial.get(name) != usual[name]]
        labels = [str(self.fields[name].label).lower() for name in changed]
        return ", ".join(labels) if labels else "nothing set"


def give_stored(form: forms.BaseForm, shown: Mapping[str, Any]) -> None:
    """Tell the list of actions what is stored, so that secrets left empty stay."""
    cast("StepsWidget", form.fields["actions"].widget).stored = list(shown.get("actions") or [])


def with_defaults(cleaned: dict[str, Any]) -> dict[str, Any]:
    """What an empty field stands for."""
    return {name: WHERE_EMPTY[name] if name in WHERE_EMPTY and value is None else value for name, value in cleaned.items()}
