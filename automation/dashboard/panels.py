"""What automation shows on the overview: whether it runs, how well, and what failed or waits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from automation.dashboard.executions import HEAVY
from automation.dashboard.rules import MANAGE, SEE
from automation.enums import ENDED_BADLY, OPEN
from automation.models import Execution, Rule
from automation.services import control
from config.acts.running import approvals
from config.kernel.desk import options, permissions
from config.kernel.flow import clock
from config.kernel.plugins.contracts import Panel, panels

FAILURES_SHOWN = 5


def automation(request: HttpRequest) -> Mapping[str, Any]:
    """The numbers of `control.status`, which the API gives too."""
    status = control.status()
    return {
        "status": status,
        "is_running": control.is_running(),
        "level": options.get("AUTOMATION_LEVEL"),
        "is_judged": bool(status.success_rate or status.average_execution_time) or _has_failures(),
        "recent": Execution.objects.filter(created_at__gte=clock.now() - timedelta(hours=24)).count(),
        "open": Execution.objects.filter(status__in=OPEN).count(),
        "waiting": approvals.waiting().count(),
        "failures": Execution.objects.filter(status__in=ENDED_BADLY).defer(*HEAVY).order_by("-id")[:FAILURES_SHOWN],
        "has_rules": Rule.living.exists(),
        "may_manage": permissions.may(request.user, MANAGE),
    }


def _has_failures() -> bool:
    return Execution.objects.filter(status__in=ENDED_BADLY).exists()


panels.register("automation.rules", Panel("Automation", "automation/_panel_rules.html", automation, 5, SEE))
