"""`manage.py replays …`: past events sent again."""

import time
from collections.abc import Mapping
from typing import Any

from config.kernel.flow.errors import Conflict
from config.kernel.management.deeds import Deed, DeedCommand, moment, show_progress
from webhooks.enums import ReplayStatus
from webhooks.models import Replay
from webhooks.services import endpoints, replay


def row(found: Replay) -> dict[str, Any]:
    """A replay as this command shows it."""
    return {"id": found.uid, "endpoint": found.endpoint.uid, "status": found.status, "done": found.done, "total": found.total}


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """Which events."""
    return {"since": given["since"], "until": given["until"], "events": given["events"] or [], "only_failed": given["only_failed"]}


def preview(given: Mapping[str, Any]) -> dict[str, int]:
    """How many it would be; nothing is sent."""
    return {"count": replay.preview(endpoints.find(given["endpoint"]), **chosen(given))}


def start(given: Mapping[str, Any]) -> dict[str, Any]:
    """Start; with --wait, stay until it has ended."""
    started = replay.start(endpoints.find(given["endpoint"]), per_minute=given["per_minute"], requested_by="command line", **chosen(given))
    while given["wait"] and started.status in (ReplayStatus.RUNNING, ReplayStatus.PAUSED):
        show_progress(started.done, started.total, what="Replaying")
        time.sleep(1)
        started = replay.find(started.uid)
    return row(started)


def step(name: str, deed: Any) -> Any:
    """A deed that moves a replay to another state."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        found = replay.find(given["id"])
        if not deed(found):
            raise Conflict(f"The replay is {found.status}; it cannot {name} now.")
        return row(replay.find(given["id"]))

    return do


WHICH: dict[str, dict[str, Any]] = {
    "endpoint": {"help": "The endpoint's id."},
    "--since": {"type": moment, "required": True, "help": "Events from this time on (ISO 8601)."},
    "--until": {"type": moment, "help": "Events before this time; now when left out."},
    "--event": {
        "action": "append",
        "dest": "events",
        "metavar": "NAME",
        "help": "Only this type; may be repeated. What it subscribes to when left out.",
    },
    "--only-failed": {"action": "store_true", "help": "Only events it has not got."},
}
ID = {"id": {"help": "The replay's id."}}


class Command(DeedCommand):
    """The running workers send; a replay goes on after a restart."""

    help = "Count, start, pause, resume and cancel replays of past events to an endpoint."
    deeds = {
        "list": Deed("The newest replays.", lambda given: [row(one) for one in Replay.objects.select_related("endpoint")[:20]]),
        "show": Deed("One replay and its progress.", lambda given: row(replay.find(given["id"])), ID),
        "preview": Deed("Count what would be sent; nothing is sent.", preview, WHICH),
        "start": Deed(
            "Start a replay.",
            start,
            {
                **WHICH,
                "--per-minute": {"type": int, "default": 600, "help": "How many a minute."},
                "--wait": {"action": "store_true", "help": "Stay until it has ended."},
            },
        ),
        "pause": Deed("Pause a replay.", step("pause", replay.pause), ID),
        "resume": Deed("Resume a replay.", step("resume", replay.resume), ID),
        "cancel": Deed("Cancel a replay.", step("cancel", replay.cancel), ID),
    }
