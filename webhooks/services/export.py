"""Writes what was registered and what failed as files (C-30); the database stays the truth. Called by `deliveries export`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from webhooks.enums import DeliveryStatus
from webhooks.models import Delivery, Endpoint

FAILED, REGISTRATIONS = "failed", "registrations.json"


@dataclass(frozen=True)
class Exported:
    """How much was written: endpoints, and events with at least one dead letter."""

    registrations: int
    failed: int


def write(folder: Path) -> Exported:
    """`webhooks/registrations.json` and a `webhooks/failed/<event id>.json` for each event with dead letters, below `folder`. No secrets.

    Files of events whose dead letters are gone meanwhile are removed. Raises InvalidInput when the folder cannot be written to.
    """
    home = folder / "webhooks"
    try:
        (home / FAILED).mkdir(parents=True, exist_ok=True)
        registrations = [_registration(endpoint) for endpoint in Endpoint.living.order_by("id")]
        (home / REGISTRATIONS).write_bytes(_json(registrations))
        written = {_write_failed(home / FAILED, rows) for rows in _by_event()}
        for old in (home / FAILED).glob("*.json"):
            if old.name not in written:
                old.unlink()
    except OSError as error:
        raise InvalidInput(f"Nothing can be written to {error.filename}: {error.strerror}. Name a folder that you may write to.") from None
    return Exported(len(registrations), len(written))


def _by_event() -> Iterator[list[Delivery]]:
    rows = Delivery.objects.filter(status=DeliveryStatus.DEAD).select_related("event", "endpoint").order_by("event_id", "id")
    for _, group in groupby(rows.iterator(chunk_size=200), key=attrgetter("event_id")):
        yield list(group)


def _write_failed(folder: Path, dead: Sequence[Delivery]) -> str:
    event = dead[0].event
    envelope = orjson.loads(bytes(event.body))
    name = f"{event.uid}.json"
    (folder / name).write_bytes(_json({**envelope, "deliveries": [_failure(one) for one in dead]}))
    return name


def _failure(delivery: Delivery) -> dict[str, Any]:
    return {
        "deliveryId": delivery.uid,
        "webhookId": delivery.endpoint.uid,
        "url": delivery.endpoint.shown_url,
        "attempts": delivery.attempt_count,
        "lastStatusCode": delivery.last_status_code,
        "lastError": delivery.last_error_code,
        "failedAt": clock.text(delivery.finished_at) if delivery.finished_at else None,
    }


def _registration(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "webhookId": endpoint.uid,
        "url": endpoint.shown_url,
        "events": endpoint.events,
        "active": endpoint.is_active,
        "createdAt": clock.text(endpoint.created_at),
    }


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n"
