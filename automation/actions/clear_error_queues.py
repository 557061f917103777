"""Archives what has failed in queues (S0-57)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from django import forms

from automation.services import queues, work
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Done, Outcome


class Parameters(forms.Form):
    """Of which queue."""

    queue = forms.CharField(label="Queue", max_length=64, required=False, help_text="Its short name. Left out: all queues.")


class ClearErrorQueues(Action):
    """Items whose attempts are used up are archived, not deleted; dead letters of webhooks are something else and stay."""

    title = "Clear error queues"
    about = "Archives the failed items of one queue or of all. They are kept until their retention ends; dead letters are never touched."
    runs: ClassVar[Literal["inline", "child"]] = "inline"
    effect: ClassVar[Literal["none", "idempotent", "once"]] = "idempotent"
    Parameters = Parameters

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """How many were archived is in the output."""
        name = params.get("queue") or ""
        return Done({"queue": name or "all", "archived": work.clear_errors(queues.find(name) if name else None)})

    def summary(self, params: Mapping[str, Any]) -> str:
        """Of which queue."""
        return f"Archive the failed items of {params.get('queue') or 'all queues'}"


actions.register("automation.clear_error_queues", ClearErrorQueues(), module=__name__)
