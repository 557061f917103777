"""The forms of queues and items. Called by the dashboard and the admin."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms

from automation.models import Queue, WorkItem
from automation.services import queues
from config.acts.plugins.processors import processors
from config.look.fields import MONO, PrettyJSON
from config.look.parameters import DrawsParameters, ParametersField, choices_of

NOBODY = "Nothing: items wait for whoever takes them"


def whole(name: str, label: str, help_text: str, *, required: bool = True) -> forms.IntegerField:
    """A whole number within the bounds of the queue's field of that name."""
    least, most = queues.BOUNDS[name]
    return forms.IntegerField(label=label, min_value=least, max_value=most, required=required, help_text=help_text)


@dataclass(frozen=True)
class Section:
    """Fields that answer one question, under its heading."""

    title: str
    lead: str
    fields: Sequence[forms.BoundField]


class QueueForm(DrawsParameters, forms.Form):
    """All that a person may say of a queue."""

    layout = (
        ("The queue", "", ("slug", "name")),
        ("What works it off", "", ("processor", "parameters", "is_automatic", "max_in_progress", "timeout_seconds")),
        (
            "When an item fails",
            "An item that is to be tried again waits; one whose attempts are used up goes to the error queue.",
            ("max_attempts", "retry_strategy", "retry_base_seconds", "retry_max_delay_seconds"),
        ),
        (
            "When it gets long",
            "The event `processing.delayed` is published once when a threshold is passed, and again only after the queue had recovered.",
            ("max_length", "delayed_depth", "delayed_age_seconds"),
        ),
    )

    slug = forms.CharField(
        label="Short name",
        max_length=48,
        widget=forms.TextInput(attrs=MONO),
        help_text="Small letters, digits and _, beginning with a letter. Conditions use it: `queues.NAME.depth`.",
    )
    name = forms.CharField(label="Name", max_length=120, required=False, help_text="For people, such as “Videos of the shop”.")
    processor = forms.ChoiceField(
        label="Processor",
        required=False,
        choices=partial(choices_of, processors, empty=NOBODY),
        help_text="What is done with each item.",
    )
    parameters = ParametersField(processors, chosen_by="processor")
    is_automatic = forms.BooleanField(
        label="Work items off as they come", required=False, help_text="Off: only when a rule, a batch or a person asks."
    )
    max_in_progress = whole("max_in_progress", "Items at once", "When it is worked off by itself.")
    timeout_seconds = whole("timeout_seconds", "Time for one attempt (seconds)", "Then whoever works it is stopped.")
    max_attempts = whole("max_attempts", "Attempts", "In all, the first one included.")
    retry_strategy = forms.ChoiceField(label="Waits between attempts", choices=Queue.Strategy.choices)
    retry_base_seconds = whole("retry_base_seconds", "First wait (seconds)", "What the waits are made from.")
    retry_max_delay_seconds = whole("retry_max_delay_seconds", "Longest wait (seconds)", "No wait is longer.")
    max_length = whole("max_length", "Greatest length", "Items waiting at most; beyond it new ones are refused with 429.")
    delayed_depth = whole("delayed_depth", "Late above (items)", "More items waiting than this. Empty: not watched.", required=False)
    delayed_age_seconds = whole(
        "delayed_age_seconds", "Late after (seconds)", "An item that waits longer than this. Empty: not watched.", required=False
    )

    def __init__(self, *args: Any, queue: Queue | None = None, **options: Any) -> None:
        shown = queue or Queue()
        names = [name for _, _, names in self.layout for name in names]
        known = {name: getattr(shown, name) for name in names}
        super().__init__(*args, initial={**known, **options.pop("initial", {})}, use_required_attribute=False, **options)

    def sections(self) -> Iterator[Section]:
        """In the order a person thinks."""
        for title, lead, names in self.layout:
            yield Section(title, lead, [self[name] for name in names])


class ItemForm(forms.Form):
    """An item put in by hand."""

    payload = PrettyJSON(label="Payload", rows=10, required=False, help_text="What the processor is told, a JSON object.")
    key = forms.CharField(
        label="Key",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs=MONO),
        help_text="Put in again under it, it is the same item.",
    )
    priority = forms.TypedChoiceField(
        label="Priority",
        coerce=int,
        choices=WorkItem.Priority.choices,
        initial=WorkItem.Priority.NORMAL,
        help_text="The highest goes first.",
    )
