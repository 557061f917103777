"""How deliveries and inbound requests go: rates and times since the tick before, and what waits or was given up."""

from collections.abc import Mapping, Sequence

from config.kernel.language.facts import Fact
from config.kernel.plugins.samplers import Sampler, samplers
from config.kernel.series import window
from webhooks.enums import DeliveryStatus
from webhooks.services import stats

FACTS = (
    Fact("receipts_per_second", unit="/s", about="Inbound requests, whatever became of them."),
    Fact("deliveries_per_second", unit="/s", about="Delivery attempts that ended."),
    Fact("delivery_success_rate", unit="%", about="Delivered, of those deliveries that were delivered or given up since the last sample."),
    Fact("delivery_time", unit="s", about="Mean time of one attempt."),
    Fact("delivery_time_p95", unit="s", about="95 of 100 attempts were faster."),
    Fact("deliveries_pending", about="Deliveries that are not ended yet."),
    Fact("dead_letters", about="Deliveries that were given up and are still kept."),
)
ENDED, TIMES = "webhook_deliveries_total", "webhook_delivery_seconds"


class Deliveries(Sampler):
    """Of all endpoints and sources together."""

    title = "Webhooks"

    def facts(self) -> Sequence[Fact]:
        """Always the same."""
        return FACTS

    def measure(self) -> Mapping[str, float | None]:
        """One statement, the rest is in the tallies."""
        between, counts = window.current(), stats.waiting()
        return {
            "receipts_per_second": between.rate("webhook_events_received_total"),
            "deliveries_per_second": between.rate(ENDED),
            "delivery_success_rate": _success_rate(between),
            "delivery_time": between.mean(TIMES),
            "delivery_time_p95": between.quantile(TIMES, 0.95),
            "deliveries_pending": counts["pending"],
            "dead_letters": counts["dead"],
        }


def _success_rate(between: window.Window) -> float | None:
    delivered = between.increase(ENDED, outcome=DeliveryStatus.DELIVERED.value)
    dead = between.increase(ENDED, outcome=DeliveryStatus.DEAD.value)
    if delivered is None or dead is None or not delivered + dead:
        return None
    return delivered / (delivered + dead) * 100


samplers.register("webhooks.deliveries", Deliveries(), module=__name__)
