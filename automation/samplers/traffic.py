"""What goes through Steward: events, requests and how long they take, background tasks, and who is here."""

from collections.abc import Mapping, Sequence

from config.doors import presence
from config.kernel.desk import options
from config.kernel.language.facts import Fact
from config.kernel.models import Event
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import window

FACTS = (
    Fact("events_per_second", unit="/s", about="Events stored, from outside and our own."),
    Fact("requests_per_second", unit="/s", about="Requests answered, but for /health, /metrics and static files."),
    Fact("response_time", unit="s", about="Mean time to answer a request."),
    Fact("response_time_p95", unit="s", about="95 of 100 requests were answered faster."),
    Fact("error_rate", unit="%", about="Requests that ended with an error of ours (5xx), of all."),
    Fact("tasks_per_second", unit="/s", about="Background tasks that ended."),
    Fact("task_failures_per_second", unit="/s", about="Background tasks that ended with an error."),
    Fact("active_users", about="Users who asked for something within ACTIVE_USER_MINUTES; a token counts as its owner."),
)
REQUESTS, SECONDS, TASKS = "http_requests_total", "http_request_seconds", "tasks_total"


class Traffic(Sampler):
    """Rates and times are over the time since the tick before."""

    title = "Traffic"

    def facts(self) -> Sequence[Fact]:
        """Always the same."""
        return FACTS

    def measure(self) -> Mapping[str, float | None]:
        """Times and shares of nothing are gaps; rates of nothing are 0."""
        between = window.current()
        requests, errors = between.increase(REQUESTS), between.increase(REQUESTS, status="5xx")
        return {
            "events_per_second": _events_per_second(between),
            "requests_per_second": between.rate(REQUESTS),
            "response_time": between.mean(SECONDS),
            "response_time_p95": between.quantile(SECONDS, 0.95),
            "error_rate": errors / requests * 100 if requests and errors is not None else None,
            "tasks_per_second": between.rate(TASKS),
            "task_failures_per_second": between.rate(TASKS, outcome="failure"),
            "active_users": presence.active(options.get("ACTIVE_USER_MINUTES")),
        }


def _events_per_second(between: window.Window) -> float | None:
    if not between.since:
        return None
    return Event.objects.filter(created_at__gt=between.since, created_at__lte=between.until).count() / between.seconds


samplers.register("automation.traffic", Traffic(), module=__name__)
