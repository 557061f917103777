"""Works one video, or whatever else has an address, off through a queue's processor (S0-59, PROCESS_VIDEO)."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services import queues, work
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import JSON
from config.kernel.flow.outcomes import Outcome


class Parameters(forms.Form):
    """What, how, and by which queue."""

    video_url = forms.URLField(label="Video URL", max_length=2000, assume_scheme="https", help_text="What is to be processed.")
    processing_options = JSON(kind=dict, label="Processing options", required=False, help_text="Handed to the processor as they are.")
    queue = forms.CharField(
        label="Queue",
        max_length=64,
        required=False,
        initial=queues.DEFAULT,
        help_text="Short name of the queue whose processor does it. Left out: `default`.",
    )


class ProcessItem(Action):
    """Makes an item of the queue, which a page shows, and has the queue's processor work it off; again by the queue's policy."""

    title = "Process one item"
    about = "Puts `video_url` and `processing_options` into a queue as an item and has the queue's processor work it off at once."
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Under the same call it is the same item. While it is to be tried again, the call waits."""
        queue = queues.find(params.get("queue") or queues.DEFAULT)
        payload = {"video_url": params["video_url"], "processing_options": dict(params.get("processing_options") or {})}
        return work.run_single(queue, payload, key=f"call:{call.key or call.id}")

    def summary(self, params: Mapping[str, Any]) -> str:
        """What, through which queue."""
        return f"Process one item through the queue {params.get('queue') or queues.DEFAULT}"


actions.register("automation.process_item", ProcessItem(), module=__name__)
