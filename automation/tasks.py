"""The duties of automation: judge, advance executions, work queues off, remove the old. The sweep and the nudges of the kernel run them."""

from datetime import datetime
from typing import Any

from django.db.models.signals import post_save
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from automation.services import backups, executions, health_checks, queues, reports
from automation.services.judging import judgement, states, verdicts
from automation.services.saving import beats
from automation.services.work import duties as work
from config.kernel import series
from config.kernel.flow import schedules
from config.kernel.flow.errors import capture
from config.kernel.plugins.contracts import duties

WATCH_SECONDS = 15


class Samples:
    """Judge rules on what was measured, and let the health checks look. Nudged after every sample."""

    queue = "default"
    after_samples = True

    def due_count(self, now: datetime) -> int:
        """How many samples nobody has judged yet."""
        return judgement.waiting_samples()

    def work(self, now: datetime, limit: int) -> int:
        """Judge them; never comes back for more at once, since `judge_samples` takes all there are."""
        judged = judgement.judge_samples()
        latest = series.latest() if judged else None
        if latest is not None:
            health_checks.run_all(*latest)
        return 0


class Due:
    """Wake rules by the clock, and let de-bounced events count."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """How many moments have come."""
        return judgement.due(now).count()

    def work(self, now: datetime, limit: int) -> int:
        """Judge up to `limit`."""
        return judgement.judge_due(now, limit)


class Advance:
    """Start executions and take their next steps."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Whether anything can move."""
        return executions.due_count(now)

    def work(self, now: datetime, limit: int) -> int:
        """Move what can move; again as long as that frees room."""
        return limit if executions.advance(now, limit) else 0


class Tidy:
    """Remove executions, verdicts, memories, reports and backups that are past their days. Has a schedule of its own."""

    queue = "default"

    def due_count(self, now: datetime) -> int:
        """Always 0: see the schedule `automation tidy`."""
        return 0

    def work(self, now: datetime, limit: int) -> int:
        """All of them."""
        verdicts.remove_old(now)
        executions.remove_old(now)
        states.remove_old(now)
        reports.delete_old(now)
        backups.delete_expired(now)
        return 0


duties.register("automation.samples", Samples())
duties.register("automation.due", Due())
duties.register("automation.advance", Advance())
duties.register("automation.tidy", Tidy())
duties.register(queues.DUTY, work.Work())
duties.register("automation.watch_queues", work.Watch())
duties.register("automation.items_retention", work.Retention())
schedules.every(WATCH_SECONDS, "queues", args=("automation.watch_queues",), about="Finds lost items and queues that are late.")
schedules.every(3600, "queues tidy", args=("automation.items_retention",), about="Removes items that have been kept long enough.")
schedules.every(
    3600, "automation tidy", args=("automation.tidy",), about="Removes executions, verdicts, reports and backups past their days."
)


def _row_changed(sender: Any, instance: Any, raw: bool = False, **_: Any) -> None:
    """Somebody saved a schedule in the admin: the rule that it belongs to follows."""
    if raw:
        return
    rows = [instance] if isinstance(instance, PeriodicTask) else list(instance.periodictask_set.all())
    for row in rows:
        with capture("beat.take_over_failed", row=row.name):
            beats.take_over(row)


for model in (PeriodicTask, CrontabSchedule, IntervalSchedule):
    post_save.connect(_row_changed, sender=model, dispatch_uid=f"automation.{model.__name__}")
