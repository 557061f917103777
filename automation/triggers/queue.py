"""`automation.queue`: more than so many items wait."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.engine.limits import of_queue
from config.acts.plugins.triggers import Trigger, triggers


class QueueForm(forms.Form):
    """Which queue, and how deep."""

    queue_threshold = forms.IntegerField(min_value=0, help_text="It fires while more items than this wait.")
    queue = forms.SlugField(required=False, max_length=64, help_text="Name of the queue. Empty: default.")


class QueueDepth(Trigger):
    """The trigger."""

    title = "While a queue is deep"
    about = "Judged with each sample; it fires each time as long as more items wait, one execution at a time."
    source = "queue"
    wakes = "sample"
    repeats = True
    Parameters = QueueForm

    def summary(self, params: Mapping[str, Any]) -> str:
        return f"more than {params['queue_threshold']} items wait in {params.get('queue') or 'default'}"

    def condition(self, params: Mapping[str, Any]) -> str:
        return f"{of_queue(params.get('queue') or 'default', 'depth')} > {params['queue_threshold']}"


triggers.register("automation.queue", QueueDepth(), module=__name__)
