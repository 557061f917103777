"""Removes old files, keys and sessions."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms

from automation.services.effects import cleanup
from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import Words
from config.kernel.flow.errors import Forbidden
from config.kernel.flow.outcomes import Done, NotConfigured, Outcome, Refused

KINDS = [
    ("files", "files of the cache, or under the folders named below"),
    ("redis", "keys of our own cache in Redis"),
    ("sessions", "sessions that ran out"),
    ("temp", "temporary files"),
]


class CleanupCache(Action):
    """Old means: not written (files) or not asked for (keys) for longer than `max_age_hours`."""

    title = "Clean caches"
    about = "Removes old files, keys of our cache, sessions that ran out and temporary files. What is left alone is named, with the reason."
    effect = "idempotent"
    timeout_seconds = 1800

    class Parameters(forms.Form):
        """What, and how old."""

        max_age_hours = forms.FloatField(min_value=0, max_value=87600, initial=24, help_text="What is older than this goes (hours).")
        cleanup_types = forms.MultipleChoiceField(choices=KINDS, initial=[name for name, _ in KINDS], widget=forms.CheckboxSelectMultiple)
        folders = Words(
            required=False, help_text="For files: folders inside of STEWARD_WRITABLE_ROOTS; none means our own cache folder under DATA_DIR."
        )

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Each kind by itself; only when none of them is configured nothing was done."""
        age = timedelta(hours=params["max_age_hours"])
        try:
            found = cleanup.clean(params["cleanup_types"], max_age=age, folders=params["folders"])
        except Forbidden as error:
            return Refused(error.message)
        absent = {kind: str(part) for kind, part in found.items() if isinstance(part, cleanup.Absent)}
        removed = {kind: part for kind, part in found.items() if isinstance(part, cleanup.Removed)}
        if not removed:
            return NotConfigured(" ".join(absent.values()))
        return Done(
            {
                "count": sum(part.count for part in removed.values()),
                "bytes": sum(part.bytes for part in removed.values()),
                "removed": {kind: part.as_json() for kind, part in removed.items()},
                "not_configured": absent,
            }
        )

    def summary(self, params: Mapping[str, Any]) -> str:
        """Kinds and age."""
        return f"Remove {', '.join(params['cleanup_types'])} older than {params['max_age_hours']:g} hours"


actions.register("automation.cleanup_cache", CleanupCache(), module=__name__)
