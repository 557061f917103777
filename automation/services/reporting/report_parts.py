"""What the ground itself has to say in a report: the system, and the deeds that were done. Registered by `automation.apps`."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from django.db.models import Avg, Count, F, Max, Min, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour

from config.acts.models import Approval, Backup, Invocation
from config.acts.plugins.reporters import Chart, Figure, Part, Period, Table
from config.kernel import series
from config.kernel.models import AuditRecord, Component, Event, Notification, Rollup, RouteFailure

TRUNCATE = {"hour": TruncHour, "day": TruncDay}
MOST = 15
STATUS = Invocation.Status
ENDED_BADLY = (STATUS.FAILED, STATUS.TIMEOUT, STATUS.REFUSED)
# Whole minutes are kept for two weeks, hours for longer.
MINUTES_DAYS = 7


def system(period: Period) -> Part:
    """Events, messages, the record of changes, how the components stand now, and what was measured."""
    events, messages = within(Event, period), within(Notification, period)
    by_status: Any = dict(messages.order_by().values_list("status").annotate(Count("pk")))
    figures = [
        Figure("events", "Events", events.count()),
        Figure("errors", "Errors in tasks", events.filter(type="error.occurred").count()),
        Figure("route_failures", "Events that wait for a subscriber now", RouteFailure.objects.count()),
        Figure("notifications", "Messages to people", sum(by_status.values())),
        Figure("notifications_sent", "Messages sent", by_status.get("sent", 0)),
        Figure("notifications_failed", "Messages that failed", by_status.get("failed", 0)),
        Figure("audit_records", "Changes and accesses on record", within(AuditRecord, period).count()),
    ]
    components = [[one.key, one.status, one.detail[:200]] for one in Component.objects.order_by("key")]
    types: Any = events.order_by().values_list("type").annotate(number=Count("pk")).order_by("-number", "type")[:MOST]
    tables = [Table("Components now", ["Component", "State", "Detail"], components)] if components else []
    tables += [Table("Events by type", ["Type", "Events"], [list(row) for row in types])] if types else []
    return Part("System", figures, [over_time("Events", events, period)], [*tables, *_measured(period)])


def automation(period: Period) -> Part:
    """Calls of actions by what became of them, approvals and backups."""
    calls = within(Invocation, period)
    counts = calls.aggregate(
        total=Count("pk"),
        completed=Count("pk", filter=Q(status__in=(STATUS.COMPLETED, STATUS.UNDONE))),
        failed=Count("pk", filter=Q(status__in=ENDED_BADLY)),
        seconds=Avg("run_seconds", filter=Q(ended_at__isnull=False)),
    )
    ended = counts["completed"] + counts["failed"]
    asked = within(Approval, period)
    figures = [
        Figure("invocations", "Actions asked for", counts["total"]),
        Figure("invocations_completed", "Actions completed", counts["completed"]),
        Figure("invocations_failed", "Actions failed, timed out or refused", counts["failed"]),
        Figure("invocations_success_rate", "Success rate", counts["completed"] / ended if ended else None, "%"),
        Figure("invocations_run_seconds", "Mean time of an action", counts["seconds"], "s"),
        Figure("approvals", "Approvals asked for", asked.count()),
        Figure("approvals_granted", "Approvals granted", asked.filter(status=Approval.Status.APPROVED).count()),
        Figure("backups", "Backups of data", within(Backup, period).filter(kind=Backup.Kind.DATA).count()),
    ]
    by_action: Any = (
        calls.order_by()
        .values("action")
        .annotate(number=Count("pk"), failed=Count("pk", filter=Q(status__in=ENDED_BADLY)), seconds=Avg("run_seconds"))
    )
    rows = [
        [row["action"], row["number"], row["failed"], round(row["seconds"] or 0, 3)]
        for row in by_action.order_by("-number", "action")[:MOST]
    ]
    tables = [Table("By action", ["Action", "Asked for", "Failed", "Mean seconds"], rows)] if rows else []
    parts = {"ok": Q(status__in=(STATUS.COMPLETED, STATUS.UNDONE)), "bad": Q(status__in=ENDED_BADLY), "held": Q(status__in=Invocation.OPEN)}
    words = {"ok": "completed", "bad": "failed", "held": "open"}
    return Part("Actions", figures, [over_time("Actions", calls, period, parts, words)], tables)


def within(model: Any, period: Period) -> "QuerySet[Any]":
    """The rows made within the period."""
    rows: QuerySet[Any] = model.objects.filter(created_at__gte=period.since, created_at__lt=period.until)
    return rows


def over_time(
    title: str, rows: "QuerySet[Any]", period: Period, parts: dict[str, Q] | None = None, words: dict[str, str] | None = None
) -> Chart:
    """How many rows each hour or day had, cut into `parts` (tone → which rows)."""
    asked = parts or {"": Q()}
    counted = {f"part{at}": Count("pk", filter=which) if which else Count("pk") for at, which in enumerate(asked.values())}
    found: Any = rows.order_by().annotate(at=TRUNCATE[period.step]("created_at", tzinfo=UTC)).values("at").annotate(**counted)
    by_step = {row["at"]: row for row in found}
    steps = list(period.steps())
    amounts = {tone: [by_step.get(step, {}).get(f"part{at}", 0) for step in steps] for at, tone in enumerate(asked)}
    return Chart(f"{title} by the {period.step}", [period.label(step) for step in steps], amounts, words or {})


def _measured(period: Period) -> Sequence[Table]:
    """Least, mean and most of each name that was sampled, as far as it is rolled up."""
    seconds = 60 if (period.until - period.since).days < MINUTES_DAYS else 3600
    rows: Any = Rollup.objects.filter(seconds=seconds, at__gte=period.since, at__lt=period.until).values("name")
    found = rows.annotate(low=Min("min"), mean=Sum(F("sum")) / Sum("count"), high=Max("max")).order_by("name")[:60]
    cells = [[row["name"], round(row["low"], 3), round(row["mean"], 3), round(row["high"], 3)] for row in found]
    units = {fact.name: fact.unit for fact in series.facts()}
    return [Table("Measured", ["Name", "Least", "Mean", "Most"], cells, [units.get(row[0], "") for row in cells])] if cells else []
