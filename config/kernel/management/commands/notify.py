"""`manage.py notify …`: a message to people, and a test of each channel."""

from collections.abc import Mapping
from typing import Any

from config.kernel.flow.errors import PermanentError, TemporaryError
from config.kernel.management.deeds import Deed, DeedCommand, number
from config.kernel.models import Notification
from config.kernel.watch import notifications

Channel, Status = Notification.Channel, Notification.Status


def row(one: Notification) -> dict[str, Any]:
    """A message as this command shows it."""
    shown = {name: getattr(one, name) for name in ("channel", "urgency", "title", "status", "count", "error", "created_at")}
    return {"id": one.uid, "recipients": ", ".join(one.recipients), **shown}


def send(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the rows; the workers send them."""
    message, title = given["message"], given["title"] or given["message"].partition("\n")[0]
    words = {"message": message, "urgency": given["urgency"], "channels": given["channels"], "recipients": given["recipients"] or []}
    return [row(one) for one in notifications.notify(title, **words)]


def test(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Send one message now and wait for what becomes of it. Raises when it was not sent."""
    rows = notifications.try_out(given["channel"], recipients=given["recipients"] or [])
    unsent = [one for one in rows if one.status != Status.SENT]
    if any(one.status == Status.NOT_CONFIGURED for one in unsent):
        raise PermanentError(f"{given['channel']} is not configured: {unsent[0].error}")
    if unsent:
        raise TemporaryError(f"{given['channel']}: {unsent[0].error}")
    return [row(one) for one in rows]


def latest(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest messages."""
    found = Notification.objects.order_by("-id")
    if given["channel"]:
        found = found.filter(channel=given["channel"])
    return [row(one) for one in found[: given["limit"]]]


TO: dict[str, dict[str, Any]] = {
    "--to": {
        "action": "append",
        "dest": "recipients",
        "metavar": "WHOM",
        "help": "An address of mail or a #channel of Slack; may be repeated. What is configured when left out.",
    }
}


class Command(DeedCommand):
    """`test` sends from this process and says at once what is missing."""

    help = "Tell people something by the dashboard, mail, webhook, Slack or apprise, and try whether a channel works."
    deeds = {
        "list": Deed(
            "The newest messages and what became of them.",
            latest,
            {
                "--channel": {"default": "", "choices": ["", *Channel.values], "help": "Only this channel."},
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "send": Deed(
            "Send a message; the running workers carry it.",
            send,
            {
                "message": {"help": "What to say."},
                "--title": {"default": "", "help": "Its title; the first line of the message when left out."},
                "--urgency": {"default": "normal", "choices": Notification.Urgency.values, "help": "How urgent it is."},
                "--channel": {
                    "action": "append",
                    "dest": "channels",
                    "choices": Channel.values,
                    "help": "Only this channel; may be repeated. All that are configured when left out.",
                },
                **TO,
            },
        ),
        "test": Deed(
            "Send a test message on one channel, now, and say what came of it.",
            test,
            {"--channel": {"required": True, "choices": Channel.values, "help": "The channel to try."}, **TO},
        ),
    }
