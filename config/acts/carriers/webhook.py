"""The channel `webhook`: the message as JSON to NOTIFY_WEBHOOK_URL. How it posts is shared with Slack."""

from collections.abc import Sequence

import orjson

from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import TemporaryError
from config.kernel.models import Notification
from config.kernel.plugins.contracts import NotConfigured, carriers
from config.kernel.watch import throttle
from config.kernel.wire import http

SEND_SECONDS = 10


class Webhook:
    """A person may set its URL, so the address rule holds."""

    def is_configured(self) -> bool:
        """There is a URL."""
        return bool(options.get("NOTIFY_WEBHOOK_URL"))

    def targets(self, recipients: Sequence[str]) -> list[list[str]]:
        """It names nobody."""
        return [[]]

    def send(self, row: Notification) -> None:
        """One POST."""
        url = options.get("NOTIFY_WEBHOOK_URL")
        if not url:
            raise NotConfigured("NOTIFY_WEBHOOK_URL is not set.")
        body = {name: getattr(row, name) for name in ("title", "urgency", "link", "subject", "count")}
        body |= {"id": row.uid, "message": throttle.message(row), "created_at": clock.text(row.created_at)}
        post(url, body, what="The webhook")


def post(url: str, body: object, *, what: str, is_operator_target: bool = False) -> None:
    """Post JSON. Raises TemporaryError, which never tells the URL, unless the answer is 2xx."""
    headers = {"Content-Type": "application/json", "User-Agent": "Steward"}
    reply = http.send(http.Request("POST", url, headers, orjson.dumps(body), SEND_SECONDS, is_operator_target=is_operator_target))
    if reply.error_code:
        raise TemporaryError(f"{what} could not be called: {reply.error}")
    if reply.status is None or not 200 <= reply.status < 300:
        raise TemporaryError(f"{what} answered with status {reply.status}.")


carriers.register("acts.webhook", Webhook(), module=__name__)
