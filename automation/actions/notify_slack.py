"""The action `automation.notify_slack`: a message to a channel of Slack."""

from collections.abc import Mapping
from typing import Any

from automation.forms.messages import SlackForm
from automation.services import messages
from config.acts.plugins.actions import Action, Call, actions
from config.kernel.flow.outcomes import Outcome


class NotifySlack(Action):
    """By the incoming webhook in SLACK_WEBHOOK_URL, and by nothing else."""

    title = "Send a message to Slack"
    about = "Posts to a channel by the incoming webhook in SLACK_WEBHOOK_URL; without that it ends as not configured."
    runs = "inline"
    effect = "idempotent"
    Parameters = SlackForm

    def run(self, params: Mapping[str, Any], call: Call) -> Outcome:
        """Write the row, then wait for what becomes of it."""
        if call.state:
            return messages.outcome(call.state["notifications"])
        urgency = params.get("urgency") or "normal"
        return messages.tell(params["message"], urgency=urgency, recipients=[params["channel"]], channels=["slack"])

    def summary(self, params: Mapping[str, Any]) -> str:
        """Which channel."""
        return f"Tell {params['channel']} on Slack: {params['message'][:120]}"


actions.register("automation.notify_slack", NotifySlack(), module=__name__)
