"""The action `automation.send_notification`: a message to people, done once every channel has taken it."""

from collections.abc import Mapping
from typing import Any

from automation.forms.messages import MessageForm
from automation.services import messages
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome


class SendNotification(Action):
    """Repeating it soon is harmless: what was just said is counted, not said again."""

    title = "Send a notification"
    about = "Tells people by mail, Slack, webhook, apprise and the dashboard. Fails when a channel is not configured or does not take it."
    runs = "inline"
    effect = "idempotent"
    Parameters = MessageForm

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Write the rows, then wait for what becomes of them."""
        if call.state:
            return messages.outcome(call.state["notifications"])
        names = ("title", "urgency", "recipients", "channels")
        return messages.tell(params["message"], **{name: params[name] for name in names if params.get(name)})

    def summary(self, params: Mapping[str, Any]) -> str:
        """Whom it tells."""
        whom = ", ".join(params.get("recipients") or []) or "everybody who is configured"
        return f"Tell {whom}: {params.get('title') or params['message'][:120]}"


actions.register("automation.send_notification", SendNotification(), module=__name__)
