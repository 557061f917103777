"""Works off a queue that is worked off by itself. Called by the duty `automation.work`."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services import queues, work
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Done, Outcome


class Parameters(forms.Form):
    """Which queue."""

    queue = forms.CharField(label="Queue", max_length=64, help_text="Its short name.")


class WorkOff(Action):
    """Item after item for half a minute, then the next call goes on."""

    title = "Work off a queue"
    about = "Works items of a queue off for half a minute. Made by itself for every queue that is worked off as items come."
    effect = "idempotent"
    Parameters = Parameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """How many were worked is in the output."""
        queue = queues.find(params["queue"])
        return Done({"queue": queue.slug, "worked": work.drain(queue)})

    def summary(self, params: Mapping[str, Any]) -> str:
        """Which queue."""
        return f"Work off the queue {params.get('queue')}"


actions.register("automation.work_off", WorkOff(), module=__name__)
