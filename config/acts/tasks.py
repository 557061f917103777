"""The duties of acts: run invocations, close unanswered questions, tidy. The sweep and the nudges of the kernel run them."""

from datetime import datetime, timedelta
from typing import Any

from celery import signals

from config.acts.executor import claiming, turns
from config.acts.models import Approval, Invocation
from config.acts.running import approvals
from config.kernel.desk import options
from config.kernel.flow import schedules, tidy
from config.kernel.plugins.contracts import duties


class Invoke:
    """Run what is due. Has a queue and a worker of its own, so that nothing else ever waits for an action."""

    queue = "actions"

    def due_count(self, now: datetime) -> int:
        """Whether anything is due, or was left behind (counts no further than needed)."""
        return int(claiming.due(now).exists() or claiming.run_out(now).exists())

    def work(self, now: datetime, limit: int) -> int:
        """Have this process's executor look; it goes on by itself."""
        claiming.take_back()
        turns.go()
        return 0


class Expire:
    """Close questions that nobody answered in time: no answer is a no."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many are past their time, up to a hundred."""
        return approvals.due(now)[:100].count()

    def work(self, now: datetime, limit: int) -> int:
        """Close up to `limit`."""
        return approvals.expire(now, limit)


class Tidy:
    """Remove what has been kept long enough. It has a schedule of its own, so the sweep never finds it due."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """Undos go before what they undid."""
        until = now - timedelta(days=options.get("EXECUTION_RETENTION_DAYS"))
        old = Invocation.objects.filter(created_at__lt=until).exclude(status__in=Invocation.OPEN)
        tidy.remove(old.filter(undoes__isnull=False))
        tidy.remove(old.filter(undone_by__isnull=True))
        tidy.remove(Approval.objects.filter(created_at__lt=until).exclude(status=Approval.Status.PENDING))
        return 0


duties.register("acts.invoke", Invoke())
duties.register("acts.approvals", Expire())
duties.register("acts.tidy", Tidy())
schedules.every(3600, "tidy actions", args=("acts.tidy",), about="Removes invocations and approvals that have outlived their retention.")


@signals.worker_shutting_down.connect
def finish_actions(**_: Any) -> None:
    """A worker that is told to stop starts no action any more; those that run have a while to end."""
    turns.stop()
