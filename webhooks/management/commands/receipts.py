"""`manage.py receipts …`: what came in, and what we made of it."""

from collections.abc import Mapping
from typing import Any

from config.kernel.management.deeds import Deed, DeedCommand, number
from webhooks.enums import ReceiptStatus
from webhooks.models import Receipt
from webhooks.services import receipts


def row(receipt: Receipt) -> dict[str, Any]:
    """A receipt as this command shows it."""
    return {
        "id": receipt.uid,
        "source": receipt.source.slug,
        "event_type": receipt.event_type,
        "status": receipt.status,
        "reason": receipt.reason,
        "created_at": receipt.created_at,
    }


def latest(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest receipts."""
    found = Receipt.objects.select_related("source").defer("body").order_by("-id")
    if given["status"]:
        found = found.filter(status=given["status"])
    return [row(one) for one in found[: given["limit"]]]


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One receipt and what an operator should know about it."""
    receipt = receipts.find(given["id"])
    event = receipt.event.uid if receipt.event else None
    return {**row(receipt), "explanation": receipt.explanation, "warning": receipt.warning, "event": event, "headers": receipt.headers}


def reprocess(given: Mapping[str, Any]) -> dict[str, Any]:
    """Handle it once more."""
    return row(receipts.reprocess(receipts.find(given["id"])))


ID = {"id": {"help": "The receipt's id."}}


class Command(DeedCommand):
    """A refused request says here why; its sender never hears it."""

    help = "List and show inbound requests, with why they were refused, and handle them once more."
    deeds = {
        "list": Deed(
            "The newest receipts.",
            latest,
            {
                "--status": {"default": "", "choices": ["", *ReceiptStatus.values], "help": "Only this status."},
                "--limit": {"type": number(1, 1000), "default": 20, "help": "How many."},
            },
        ),
        "show": Deed("One receipt, with why it was refused.", show, ID),
        "reprocess": Deed("Handle one once more.", reprocess, ID),
    }
