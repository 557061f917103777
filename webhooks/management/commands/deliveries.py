"""`manage.py deliveries …`: what goes out, and what became of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.kernel.flow.errors import Conflict
from config.kernel.management.deeds import Deed, DeedCommand, moment, number
from webhooks.enums import DeliveryStatus
from webhooks.models import Attempt, Delivery
from webhooks.services import deliveries, endpoints, export


def row(delivery: Delivery) -> dict[str, Any]:
    """A delivery as this command shows it."""
    return {
        "id": delivery.uid,
        "status": delivery.status,
        "event": delivery.event.type,
        "endpoint": delivery.endpoint.uid,
        "attempts": delivery.attempt_count,
        "next_attempt_at": delivery.next_attempt_at,
        "last_error": delivery.last_error_code or delivery.last_status_code,
    }


def latest(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest deliveries."""
    found = Delivery.objects.select_related("event", "endpoint").defer("event__body").order_by("-id")
    if given["status"]:
        found = found.filter(status=given["status"])
    if given["endpoint"]:
        found = found.filter(endpoint__uid=given["endpoint"])
    return [row(one) for one in found[: given["limit"]]]


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One delivery and every attempt."""
    delivery = deliveries.find(given["id"])
    return {**row(delivery), "history": [_attempt(one) for one in delivery.attempts.all()]}


def _attempt(attempt: Attempt) -> str:
    result = attempt.status_code or attempt.error_code
    return f"{attempt.number}: {result} in {attempt.duration_ms:.0f} ms {attempt.error}".strip()


def redeliver(given: Mapping[str, Any]) -> dict[str, Any]:
    """Send one again."""
    delivery = deliveries.find(given["id"])
    if not deliveries.redeliver(delivery):
        raise Conflict(f"{delivery.uid} is {delivery.status}; only one that has ended can be sent again.")
    return row(deliveries.find(given["id"]))


def redeliver_dead(given: Mapping[str, Any]) -> dict[str, int]:
    """Send all dead letters again, of one endpoint or of all."""
    endpoint = endpoints.find(given["endpoint"]) if given["endpoint"] else None
    return {"requeued": deliveries.redeliver_dead(endpoint=endpoint, since=given["since"])}


def cancel(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give one up."""
    delivery = deliveries.find(given["id"])
    if not deliveries.cancel(delivery):
        raise Conflict(f"{delivery.uid} is {delivery.status}; only an open one can be cancelled.")
    return row(deliveries.find(given["id"]))


def export_files(given: Mapping[str, Any]) -> dict[str, Any]:
    """Write registrations and dead letters as files."""
    done = export.write(given["folder"])
    return {"registrations": done.registrations, "failed": done.failed, "folder": str(given["folder"] / "webhooks")}


ID = {"id": {"help": "The delivery's id."}}
ENDPOINT = {"--endpoint": {"default": "", "help": "Only this endpoint."}}


class Command(DeedCommand):
    """A redelivery is sent by the running workers."""

    help = "List and show deliveries, send dead letters again, cancel, count."
    deeds = {
        "list": Deed(
            "The newest deliveries.",
            latest,
            {
                "--status": {
                    "default": "",
                    "choices": ["", *DeliveryStatus.values],
                    "help": "Only this status; `dead` are the dead letters.",
                },
                **ENDPOINT,
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "show": Deed("One delivery and its attempts.", show, ID),
        "redeliver": Deed("Send one again.", redeliver, ID),
        "redeliver_dead": Deed(
            "Send all dead letters again.",
            redeliver_dead,
            {**ENDPOINT, "--since": {"type": moment, "help": "Only those that died since this time (ISO 8601)."}},
        ),
        "export": Deed(
            "Write the registrations and a file for each event with dead letters, without secrets.",
            export_files,
            {"folder": {"type": Path, "help": "Where: `webhooks/registrations.json` and `webhooks/failed/` are written below it."}},
        ),
        "cancel": Deed("Give an open one up.", cancel, ID),
        "stats": Deed("Numbers over all that are kept.", lambda given: endpoints.stats()),
    }
