"""The kernel's figures that are computed when `/metrics` is drawn. Imported once, by the kernel's duties."""

from django.db.models import Count

from config.kernel.models import Breaker, Component, Event, Notification
from config.kernel.watch import health, metrics

LEVELS = {health.HEALTHY: 0.0, health.DISABLED: 0.0, health.UNKNOWN: 1.0, health.WARNING: 1.0, health.CRITICAL: 2.0}


@metrics.gauge("events_unrouted", "Events that no subscriber has heard yet.")
def events_unrouted() -> float:
    """Uses the partial index of unrouted events."""
    return float(Event.objects.filter(routed_at__isnull=True).count())


@metrics.gauge("notifications_pending", "Messages to people that are not sent yet, by channel.", label="channel")
def notifications_pending() -> dict[str, float]:
    """What the duty kernel.notify still has to send."""
    return _counts(Notification.objects.filter(status=Notification.Status.PENDING), "channel")


@metrics.gauge("breakers", "Breakers, by state.", label="state")
def breakers() -> dict[str, float]:
    """Every state is there, also at zero."""
    return {**dict.fromkeys(Breaker.State.values, 0.0), **_counts(Breaker.objects.all(), "state")}


@metrics.gauge("component_state", "State of a component as last written down: 0 well, 1 warning or unknown, 2 critical.", label="component")
def component_state() -> dict[str, float]:
    """As the duty kernel.health last saw it."""
    return {key: LEVELS.get(status, 1.0) for key, status in Component.objects.values_list("key", "status")}


def _counts(rows: "object", column: str) -> dict[str, float]:
    found = rows.order_by().values_list(column).annotate(Count("pk"))  # type: ignore[attr-defined]
    return {value: float(number) for value, number in found}
