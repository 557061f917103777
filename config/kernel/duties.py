"""What the kernel's watch room puts into every process: its duties, its probes, and its hooks on Celery.
Imported once, by `config.kernel.tasks`."""

from datetime import datetime

from config.kernel.desk import connections
from config.kernel.flow import schedules
from config.kernel.plugins.contracts import duties, probes
from config.kernel.watch import gauges, health, heartbeat, logs, notifications
from config.kernel.watch import probes as kernel_probes

__all__ = ["gauges"]

HEALTH_SECONDS = 10


class Health:
    """The duty: looks at every component and announces changes. It has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `health`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """One look; 0, for there is nothing more to do."""
        health.watch()
        return 0


duties.register("kernel.notify", notifications.Notify())
duties.register("kernel.health", Health())
schedules.every(HEALTH_SECONDS, "health", args=("kernel.health",), about="Looks at every component and announces changes.")

probes.register("kernel.database", kernel_probes.database)
probes.register("kernel.celery", kernel_probes.celery)
probes.register("kernel.redis", kernel_probes.redis_server)
probes.register("kernel.github_api", kernel_probes.github_api)
probes.register("kernel.backlog", kernel_probes.backlog)

logs.carry_correlation_ids()
heartbeat.watch_workers()
connections.watch_requests()
