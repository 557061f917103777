"""Every metric there is, in one place: its kind, its help and its labels. Read by `metrics` when it draws the page."""

from dataclasses import dataclass

# Upper bounds in seconds; a delivery may take minutes, a check of a signature less than a millisecond.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True)
class Declared:
    """A counter or a histogram (of seconds) that code may add to."""

    kind: str
    help: str
    labels: tuple[str, ...] = ()


def _counter(help_text: str, *labels: str) -> Declared:
    return Declared("counter", help_text, labels)


def _histogram(help_text: str, *labels: str) -> Declared:
    return Declared("histogram", help_text, labels)


# Names of the webhook metrics are those that dashboards and alert rules outside may already use: never rename one.
DECLARED: dict[str, Declared] = {
    "webhook_events_received_total": _counter("Inbound requests, by source and what became of them.", "source", "outcome"),
    "webhook_processing_seconds": _histogram("Time to take in one inbound request, from its first byte to the answer.", "source"),
    "webhook_deliveries_total": _counter("Delivery attempts that ended, by outcome.", "outcome"),
    "webhook_delivery_seconds": _histogram("Time of one delivery attempt, from the connection to the end of the reply."),
    "webhook_delivery_lag_seconds": _histogram("Time from an event to its first successful delivery."),
    "webhook_dead_letters_total": _counter("Deliveries that were given up."),
    "webhook_breaker_opened_total": _counter("How often the breaker of an endpoint opened."),
    "http_requests_total": _counter("Requests answered, by method and status class.", "method", "status"),
    "http_request_seconds": _histogram("Time to answer a request."),
    "notifications_total": _counter("Messages to people, by channel and what became of them.", "channel", "outcome"),
    "actions_total": _counter("Attempts of actions that ended, by action and what became of them.", "action", "outcome"),
    "action_seconds": _histogram("Time of one attempt of an action, waits not counted.", "action"),
    "tasks_total": _counter("Celery tasks that ended, by name and outcome.", "task", "outcome"),
    "executions_total": _counter("Executions of rules that ended, by source and outcome.", "source", "outcome"),
    "execution_seconds": _histogram("Time of one execution of a rule, all its actions together."),
    "component_changes_total": _counter("Changes of a component's state, by component and new state.", "component", "status"),
}
