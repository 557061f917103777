"""The Python names that the requirements print, each one call of a service. For shells, scripts and the roof's façade."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, NotFound
from webhooks.enums import Security as WebhookSecurityType
from webhooks.models import Endpoint
from webhooks.services import deliveries, endpoints, fanout, stats

__all__ = [
    "WebhookConfig",
    "WebhookEvent",
    "WebhookSecurityType",
    "WebhookService",
    "delete_webhook",
    "get_system_stats",
    "list_webhooks",
    "register_webhook",
    "retry_failed_webhooks",
    "trigger_event",
    "trigger_webhook",
]

# The second source's schedule: at once, then 1, 5, 15 minutes and an hour after the attempt before.
SCHEDULE = (0, 60, 300, 900, 3600)


class WebhookEvent(StrEnum):
    """The sixteen events of the sources; a member is its dotted name."""

    TRANSCRIPTION_COMPLETED = "transcription.completed"
    TRANSCRIPTION_FAILED = "transcription.failed"
    SUMMARIZATION_COMPLETED = "summarization.completed"
    SUMMARIZATION_FAILED = "summarization.failed"
    BATCH_STARTED = "batch.started"
    BATCH_COMPLETED = "batch.completed"
    BATCH_FAILED = "batch.failed"
    VIDEO_PROCESSED = "video.processed"
    ERROR_OCCURRED = "error.occurred"
    SYSTEM_STATUS = "system.status"
    USER_QUOTA_EXCEEDED = "user.quota_exceeded"
    PROCESSING_DELAYED = "processing.delayed"
    VIDEO_COMPLETED = "video.completed"
    VIDEO_FAILED = "video.failed"
    YOUTUBE_UPLOADED = "youtube.uploaded"
    YOUTUBE_FAILED = "youtube.failed"


@dataclass(frozen=True)
class WebhookConfig:
    """An endpoint's settings as the first source prints them. `retry_attempts` are retries after the first try; times are seconds."""

    url: str
    events: Sequence[str]
    security_type: str = WebhookSecurityType.HMAC_SHA256
    timeout_seconds: int | None = None
    retry_attempts: int | None = None
    retry_delay_seconds: int | None = None
    filter_conditions: Mapping[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)


def register_webhook(
    webhook_id: str, url: str = "", events: Sequence[str] = (), config: WebhookConfig | None = None, **settings: Any
) -> endpoints.Registered:
    """Register an endpoint under an id of your choice; the answer holds its secret, this once.

    `settings` are the other fields of WebhookConfig. Raises InvalidInput as the API does, and Conflict when the id is taken.
    """
    wanted = asdict(config) if config else asdict(WebhookConfig(url, events, **settings))
    retries = wanted.pop("retry_attempts")
    return endpoints.register(
        uid=_id(webhook_id),
        url=wanted.pop("url"),
        events=[str(event) for event in wanted.pop("events")],
        security=str(wanted.pop("security_type")),
        max_attempts=None if retries is None else retries + 1,
        retry_base_seconds=wanted.pop("retry_delay_seconds"),
        **wanted,
    )


def trigger_event(event: str, data: Mapping[str, Any]) -> list[str]:
    """Publish an event; the ids of the deliveries it caused. They leave after the transaction commits. Raises InvalidInput."""
    return fanout.trigger(str(event), dict(data))


def trigger_webhook(event: Mapping[str, Any]) -> list[str]:
    """As `trigger_event`, for an event as the second source has it: `{eventType, data, eventId?}`; the same id again sends nothing new."""
    name = event.get("eventType") or event.get("event")
    if not name:
        raise InvalidInput("The event has no eventType.", fields={"eventType": ["It is missing."]})
    return fanout.trigger(str(name), event.get("data", {}), uid=str(event.get("eventId", "")))


def get_system_stats() -> dict[str, Any]:
    """`active_webhooks`, `success_rate` (0 to 1), `pending_deliveries`, `average_response_time` (seconds) over all that is kept."""
    return stats.totals()


def list_webhooks() -> list[dict[str, Any]]:
    """Every living endpoint, newest first: `webhookId, url, events, createdAt, active`."""
    return [
        {"webhookId": one.uid, "url": one.url, "events": one.events, "createdAt": clock.text(one.created_at), "active": one.is_active}
        for one in Endpoint.living.order_by("-id")
    ]


def delete_webhook(webhook_id: str) -> bool:
    """Delete an endpoint. Raises NotFound."""
    found = Endpoint.living.filter(uid=webhook_id).first()
    if found is None:
        raise NotFound(f"There is no endpoint {webhook_id!r}.")
    return endpoints.delete(found)


def retry_failed_webhooks() -> int:
    """Send every dead letter again; how many."""
    return deliveries.retry_failed_webhooks()


class WebhookService:
    """The second source's service: ids are made by us, the secret is given, five attempts by its schedule."""

    def register_webhook(self, url: str, events: Sequence[str], secret: str) -> str:
        """The id of the new endpoint. Raises InvalidInput."""
        made = endpoints.register(
            url=url, events=[str(event) for event in events], secret=secret, retry_strategy="schedule", retry_schedule=list(SCHEDULE)
        )
        return made.endpoint.uid

    list_webhooks = staticmethod(list_webhooks)
    delete_webhook = staticmethod(delete_webhook)
    trigger_webhook = staticmethod(trigger_webhook)
    retry_failed_webhooks = staticmethod(retry_failed_webhooks)


def _id(webhook_id: str) -> str:
    if not webhook_id:
        raise InvalidInput("The id of the webhook is missing.", fields={"id": ["It is missing."]})
    return webhook_id
