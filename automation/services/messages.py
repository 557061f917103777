"""Messages that an action sends, and what became of them. Called by the actions that tell people something."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from config.kernel.flow import clock
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Waiting
from config.kernel.models import Notification
from config.kernel.watch import notifications

Channel, Status = Notification.Channel, Notification.Status
# How long until a row that was not tried yet is looked at again.
LOOK_SECONDS = 1


def tell(
    message: str, *, title: str = "", urgency: str = "normal", recipients: Sequence[str] = (), channels: Sequence[str] = ()
) -> Outcome:
    """Write the rows, then as `outcome`: Done once every channel but the dashboard has taken it."""
    asked = list(channels) or _asked_for(recipients)
    words = {"message": message, "urgency": urgency, "channels": asked, "recipients": recipients}
    rows = notifications.notify(title or message.strip().partition("\n")[0], **words)  # type: ignore[arg-type]
    return outcome([row.uid for row in rows])


def outcome(uids: Sequence[str], *, also: Mapping[str, Any] | None = None) -> Outcome:
    """Waiting while one of the rows may still be sent; Done with their ids and `also`; otherwise which channel failed and why."""
    rows = list(Notification.objects.filter(uid__in=uids).order_by("id"))
    output = {**(also or {}), "notifications": [row.uid for row in rows]}
    waiting = [row for row in rows if row.status == Status.PENDING]
    if waiting:
        soon = clock.now() + timedelta(seconds=LOOK_SECONDS)
        return Waiting(min(max(row.next_attempt_at or soon, soon) for row in waiting), output)
    unsent = [row for row in rows if row.status != Status.SENT]
    if any(row.status == Status.NOT_CONFIGURED for row in unsent):
        return NotConfigured(_said([row for row in unsent if row.status == Status.NOT_CONFIGURED]))
    if unsent or not rows:
        return Failed("not_sent", _said(unsent) or "The messages are no longer kept, so nobody can tell what became of them.")
    return Done({**output, "channels": sorted({str(row.channel) for row in rows})})


def _asked_for(recipients: Sequence[str]) -> list[str] | None:
    """The channels that recipients stand for; None, all that are configured, where there are none."""
    found: list[str] = [Channel.DASHBOARD]
    if any("@" in one for one in recipients):
        found.append(Channel.EMAIL)
    if any("@" not in one for one in recipients):
        found.append(Channel.SLACK)
    return found if recipients else None


def _said(rows: Sequence[Notification]) -> str:
    return " ".join(f"{row.get_channel_display()} ({row.uid}): {row.error}" for row in rows)
