"""Publishes an event."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from config.acts.plugins.actions import Action, Call, actions
from config.acts.running.forms import JSON
from config.kernel.flow import events
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Done, Failed, Outcome


class EmitEvent(Action):
    """It counts one hop more than the event that brought it about, so rules that feed each other stop at EVENT_HOP_LIMIT."""

    title = "Publish an event"
    about = "Publishes an event of a known type; its data must fit the type's schema. Endpoints and rules that want such events hear it."
    needs = ("events:publish",)
    runs = "inline"
    effect = "idempotent"

    class Parameters(forms.Form):
        """The event."""

        type = forms.CharField(max_length=128, help_text="A known event type, such as `system.status`.")
        # A form has an attribute of this name; as a field it is kept elsewhere and does not touch it.
        data = JSON(kind=dict, required=False, initial=dict, help_text="What it tells; must fit the schema of its type.")  # type: ignore[assignment]
        subject = forms.CharField(max_length=128, required=False, help_text="What it is about, as `order:42`.")

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """The same call publishes the same event, so a call that is started again publishes nothing twice."""
        draft = events.Draft(
            params["type"],
            params["data"] or {},
            uid=_uid(call.key or call.id),
            subject=params["subject"] or "",
            source=f"action:{call.id}"[:64],
        )
        try:
            done = events.publish_draft(draft)
        except PermanentError as error:
            return Failed(error.code, error.message)
        assert done.event is not None  # publish_draft raises for what it refuses
        return Done({"event": done.event.uid, "is_new": done.is_new, "hops": done.event.hops, "note": done.event.route_note})

    def emits(self, params: Mapping[str, Any]) -> Sequence[str]:
        """The one type; what is filled in later is not known here."""
        return () if "${" in str(params.get("type") or "${") else (str(params["type"]),)

    def summary(self, params: Mapping[str, Any]) -> str:
        """Type and subject."""
        return f"Publish {params['type']}" + (f" about {params['subject']}" if params["subject"] else "")


def _uid(key: str) -> str:
    return f"evt_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


actions.register("automation.emit_event", EmitEvent(), module=__name__)
