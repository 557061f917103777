"""The words of healing: how a service stands, how it is, and how that is checked."""

from django.db import models


class ServiceState(models.TextChoices):
    """How a service stands, as its controller says. Unknown is not stopped: nobody could tell."""

    RUNNING = "running", "running"
    STARTING = "starting", "starting"
    STOPPED = "stopped", "stopped"
    FAILED = "failed", "failed"
    UNKNOWN = "unknown", "unknown"


class Health(models.TextChoices):
    """What the health check of a service said last."""

    HEALTHY = "healthy", "healthy"
    CRITICAL = "critical", "critical"
    UNKNOWN = "unknown", "unknown"
    DISABLED = "disabled", "disabled"


class HealthKind(models.TextChoices):
    """How the health of a service is checked."""

    NONE = "none", "not checked"
    HTTP = "http", "HTTP request"
    TCP = "tcp", "TCP connection"
