"""Rows of webhooks, one file per kind."""

from webhooks.models.delivery import Attempt, Batch, Delivery, Replay, Skip
from webhooks.models.endpoint import Endpoint
from webhooks.models.installation import Installation
from webhooks.models.receipt import Receipt
from webhooks.models.source import Source

__all__ = ["Attempt", "Batch", "Delivery", "Endpoint", "Installation", "Receipt", "Replay", "Skip", "Source"]
