"""The channel `slack`: an incoming webhook, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

from collections.abc import Sequence

from django.conf import settings

from config.acts.carriers.webhook import post
from config.kernel.models import Notification
from config.kernel.plugins.contracts import NotConfigured, carriers
from config.kernel.watch import throttle

LONGEST = 40_000  # characters that Slack takes


class Slack:
    """Its URL comes from the environment only."""

    def is_configured(self) -> bool:
        """There is a URL."""
        return bool(settings.SLACK_WEBHOOK_URL)

    def targets(self, recipients: Sequence[str]) -> list[list[str]]:
        """Each channel by itself; none: the one that the webhook was made for."""
        return [[one] for one in recipients if "@" not in one] or [[]]

    def send(self, row: Notification) -> None:
        """Title and message; `&`, `<` and `>` are Slack's mark-up and are escaped."""
        if not settings.SLACK_WEBHOOK_URL:
            raise NotConfigured("SLACK_WEBHOOK_URL is not set, so nothing can be sent to Slack.")
        said = throttle.text(row)
        text = said if said.startswith(row.title) else f"{row.title}\n{said}"
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:LONGEST]
        body = {"channel": row.recipients[0], "text": safe} if row.recipients else {"text": safe}
        post(settings.SLACK_WEBHOOK_URL, body, what="Slack", is_operator_target=True)


carriers.register("acts.slack", Slack(), module=__name__)
