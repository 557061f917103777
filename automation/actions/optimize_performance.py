"""Tunes what we run on, and recovers it."""

from collections.abc import Mapping
from typing import Any

from django import forms

from automation.services.effects import chain, recovery, tuning
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome, Waiting

TARGETS = [
    ("database", "database: fresh statistics for its planner"),
    ("cache", "cache: keys that nobody asks for are removed"),
    ("connections", "connections: every process opens new ones"),
    ("workers", "workers: idle processes are replaced by fresh ones"),
]
RECOVERY = [
    ("restart_services", "restart services"),
    ("clear_error_queues", "clear error queues"),
    ("reset_connections", "reset connections"),
]


class OptimizePerformance(Action):
    """Targets first, then the recovery actions in the order given, each a call of its own. Done when everything was done."""

    title = "Optimise performance"
    about = "Tunes database, cache, connections and workers, and runs recovery actions one after the other. The result says what was done."
    effect = "idempotent"
    timeout_seconds = 900

    class Parameters(forms.Form):
        """What to tune, what to recover."""

        optimization_targets = forms.MultipleChoiceField(
            choices=TARGETS,
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text="Left out, with no recovery actions either: the database.",
        )
        recovery_actions = forms.MultipleChoiceField(choices=RECOVERY, required=False, widget=forms.CheckboxSelectMultiple)

        def clean(self) -> dict[str, Any]:
            """Nothing done is no success: where nothing was asked for, the database is tuned, which every installation has."""
            if not self.errors and not any(self.cleaned_data.get(name) for name in ("optimization_targets", "recovery_actions")):
                self.cleaned_data["optimization_targets"] = ["database"]
            return self.cleaned_data

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """What was tuned is kept while recovery is waited for, and not done again."""
        tuned = call.state["tuned"] if call.state else [tuning.tune(target) for target in params["optimization_targets"]]
        found = chain.follow(recovery.steps(params["recovery_actions"]), call)
        if isinstance(found, Waiting):
            return Waiting(found.resume_at, {**found.state, "tuned": tuned})
        return tuning.outcome_of([*tuned, *(one.as_json() for one in found)])

    def summary(self, params: Mapping[str, Any]) -> str:
        """The names, in order."""
        tuned, recovered = (", ".join(params[name]) for name in ("optimization_targets", "recovery_actions"))
        return "; ".join([f"Tune {tuned}"] * bool(tuned) + [f"recover: {recovered}"] * bool(recovered))


actions.register("automation.optimize_performance", OptimizePerformance(), module=__name__)
