"""The states and kinds of webhooks, and which state may follow which."""

from django.db import models

from config.kernel.flow.transitions import Steps


class Preset(models.TextChoices):
    """How a source proves who it is, and where it puts its names."""

    GITHUB = "github", "GitHub"
    GITLAB = "gitlab", "GitLab"
    STRIPE = "stripe", "Stripe"
    SLACK = "slack", "Slack"
    SHOPIFY = "shopify", "Shopify"
    STANDARD = "standard", "Standard Webhooks"
    ALERTMANAGER = "alertmanager", "Alertmanager"
    HMAC = "hmac", "HMAC"
    BEARER = "bearer", "Bearer token"
    BASIC = "basic", "Basic authentication"


class SourceStatus(models.TextChoices):
    """Whether a source is listened to."""

    ACTIVE = "active", "active"
    PAUSED = "paused", "paused"


SOURCE_STEPS: Steps = {
    SourceStatus.ACTIVE: frozenset({SourceStatus.PAUSED}),
    SourceStatus.PAUSED: frozenset({SourceStatus.ACTIVE}),
}


class ReceiptStatus(models.TextChoices):
    """What became of one inbound request."""

    ACCEPTED = "accepted", "accepted"
    IGNORED = "ignored", "ignored"
    DUPLICATE = "duplicate", "duplicate"
    REJECTED = "rejected", "rejected"


class EndpointStatus(models.TextChoices):
    """Whether an endpoint gets deliveries. Paused by a person: held. Disabled by us or by a 410: skipped."""

    ACTIVE = "active", "active"
    PAUSED = "paused", "paused"
    DISABLED = "disabled", "disabled"


ENDPOINT_STEPS: Steps = {
    EndpointStatus.ACTIVE: frozenset({EndpointStatus.PAUSED, EndpointStatus.DISABLED}),
    EndpointStatus.PAUSED: frozenset({EndpointStatus.ACTIVE, EndpointStatus.DISABLED}),
    EndpointStatus.DISABLED: frozenset({EndpointStatus.ACTIVE}),
}


class Security(models.TextChoices):
    """How a delivery proves that it comes from us."""

    HMAC_SHA256 = "hmac_sha256", "HMAC-SHA256 signature"
    BEARER_TOKEN = "bearer_token", "Bearer token"
    API_KEY = "api_key", "API key"
    NONE = "none", "none"


class Strategy(models.TextChoices):
    """How the delay between attempts grows."""

    EXPONENTIAL = "exponential", "exponential"
    LINEAR = "linear", "linear"
    FIXED = "fixed", "fixed"
    FIBONACCI = "fibonacci", "Fibonacci"
    SCHEDULE = "schedule", "schedule"


class DeliveryStatus(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "pending"
    SENDING = "sending", "sending"
    RETRYING = "retrying", "retrying"
    DELIVERED = "delivered", "delivered"
    DEAD = "dead", "dead"
    CANCELLED = "cancelled", "cancelled"


OPEN_STATUSES = (DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.RETRYING)
ENDED_STATUSES = (DeliveryStatus.DELIVERED, DeliveryStatus.DEAD, DeliveryStatus.CANCELLED)

DELIVERY_STEPS: Steps = {
    DeliveryStatus.PENDING: frozenset({DeliveryStatus.SENDING, DeliveryStatus.CANCELLED}),
    DeliveryStatus.SENDING: frozenset(
        {DeliveryStatus.DELIVERED, DeliveryStatus.RETRYING, DeliveryStatus.DEAD, DeliveryStatus.PENDING, DeliveryStatus.CANCELLED}
    ),
    DeliveryStatus.RETRYING: frozenset({DeliveryStatus.SENDING, DeliveryStatus.CANCELLED}),
    DeliveryStatus.DELIVERED: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.DEAD: frozenset({DeliveryStatus.PENDING}),
    DeliveryStatus.CANCELLED: frozenset({DeliveryStatus.PENDING}),
}


class ErrorCode(models.TextChoices):
    """Why an attempt failed."""

    NONE = "", ""
    DNS = "dns", "name not resolved"
    CONNECT = "connect", "connection failed"
    TLS = "tls", "TLS failed"
    TIMEOUT = "timeout", "took too long"
    HTTP_STATUS = "http_status", "not a 2xx reply"
    BLOCKED_URL = "blocked_url", "address not allowed"


class SkipReason(models.TextChoices):
    """Why a subscribed endpoint got no delivery of an event."""

    FILTER = "filter", "filter"
    DISABLED = "disabled", "endpoint disabled"


class ReplayStatus(models.TextChoices):
    """Where a replay stands."""

    RUNNING = "running", "running"
    PAUSED = "paused", "paused"
    COMPLETED = "completed", "completed"
    CANCELLED = "cancelled", "cancelled"


REPLAY_STEPS: Steps = {
    ReplayStatus.RUNNING: frozenset({ReplayStatus.PAUSED, ReplayStatus.COMPLETED, ReplayStatus.CANCELLED}),
    ReplayStatus.PAUSED: frozenset({ReplayStatus.RUNNING, ReplayStatus.CANCELLED}),
}
