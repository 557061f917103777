"""What rules have to say in a report: executions by what became of them, and the rules that woke most. Registered by `automation.apps`."""

from typing import Any

from django.db.models import Count, Q

from automation.enums import ENDED_BADLY, JUDGED, OPEN, ExecutionStatus
from automation.models import Execution, Rule
from automation.services.reporting.report_parts import MOST, over_time, within
from config.acts.plugins.reporters import Figure, Part, Period, Table

WELL, BADLY = Q(status=ExecutionStatus.COMPLETED), Q(status__in=ENDED_BADLY)
LEFT = Q(status__in=(ExecutionStatus.SKIPPED, ExecutionStatus.CANCELLED))


def rules(period: Period) -> Part:
    """Wakings within the period; what ran in shadow counts as a waking and did nothing."""
    woken = within(Execution, period)
    counts = woken.aggregate(
        total=Count("pk"),
        completed=Count("pk", filter=WELL),
        failed=Count("pk", filter=BADLY),
        left=Count("pk", filter=LEFT),
        judged=Count("pk", filter=Q(status__in=JUDGED)),
        shadow=Count("pk", filter=Q(is_shadow=True)),
    )
    figures = [
        Figure("executions", "Executions", counts["total"]),
        Figure("executions_completed", "Executions completed", counts["completed"]),
        Figure("executions_failed", "Executions failed or timed out", counts["failed"]),
        Figure("executions_left_out", "Executions skipped or cancelled", counts["left"]),
        Figure("executions_success_rate", "Success rate", counts["completed"] / counts["judged"] if counts["judged"] else None, "%"),
        Figure("executions_shadow", "Only in shadow", counts["shadow"]),
        Figure("rules", "Rules now", Rule.living.count()),
    ]
    by_name: Any = woken.order_by().values("name").annotate(number=Count("pk"), failed=Count("pk", filter=BADLY))
    rows = [[row["name"], row["number"], row["failed"]] for row in by_name.order_by("-number", "name")[:MOST]]
    tables = [Table("By rule", ["Rule", "Executions", "Failed"], rows)] if rows else []
    parts = {"ok": WELL, "bad": BADLY, "held": Q(status__in=OPEN), "off": LEFT}
    words = {"ok": "completed", "bad": "failed", "held": "open", "off": "left out"}
    return Part("Rules", figures, [over_time("Executions", woken, period, parts, words)], tables)
