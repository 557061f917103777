"""Works several items of a queue off as one batch (S0-60)."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from automation.services import queues, work
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome

MOST = 1000
SECONDS = 3600.0


class Parameters(forms.Form):
    """How many, of which queue, which first."""

    batch_size = forms.IntegerField(label="Batch size", min_value=1, max_value=MOST, initial=5, help_text="Items taken at most.")
    queue = forms.CharField(
        label="Queue", max_length=64, required=False, initial=queues.DEFAULT, help_text="Its short name. Left out: `default`."
    )
    queue_selection = forms.ChoiceField(
        label="Which first",
        required=False,
        choices=[("oldest", "the oldest"), ("newest", "the newest"), ("priority", "the most urgent, then the oldest")],
        initial="oldest",
        help_text="Which of the waiting items are taken.",
    )


class BatchProcess(Action):
    """Publishes `batch.started`, then `batch.completed` or `batch.failed`, under one batch id.

    An item that fails for good ends the batch; what was not come to goes back in line. One to be tried again later does not end it.
    """

    title = "Process a batch"
    about = "Takes items of a queue and has the queue's processor work them off, with `batch.started`, `batch.completed`, `batch.failed`."
    effect = "idempotent"
    timeout_seconds = SECONDS
    Parameters = Parameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Started again under the same call it goes on with the same batch."""
        queue = queues.find(params.get("queue") or queues.DEFAULT)
        selection = params.get("queue_selection") or "oldest"
        batch_id = work.batch_id_of(call.id)
        return work.run_batch(queue, size=int(params["batch_size"]), selection=selection, batch_id=batch_id, seconds=SECONDS)

    def emits(self, params: Mapping[str, Any]) -> Sequence[str]:
        """What it says of the batch."""
        return ("batch.started", "batch.completed", "batch.failed")

    def target(self, params: Mapping[str, Any]) -> str:
        """Nothing: items are leased one by one, so that two batches of a queue may run at once."""
        return ""

    def summary(self, params: Mapping[str, Any]) -> str:
        """How many of which queue."""
        return f"Process up to {params.get('batch_size')} items of the queue {params.get('queue') or queues.DEFAULT}"


actions.register("automation.batch_process", BatchProcess(), module=__name__)
