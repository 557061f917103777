"""`/api/v1/automation/executions`: every waking of a rule that fired, was held, or was refused."""

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.asking import ensure_may
from automation.api.serializers.executions import CancelExecutionIn, ExecutionDetail, ExecutionOut
from automation.enums import ExecutionStatus
from automation.models import Execution
from automation.services import executions
from config.doors.api import Collection, View
from config.doors.bodies import read
from config.doors.filters import FlagFilter, PeriodFilter
from config.kernel.flow.errors import Conflict

SEE, RUN = "workflows:view", "workflows:execute"
TAGS = ("executions",)


class ExecutionFilter(PeriodFilter):
    """Filters of the list; `since` and `until` go by when it was made."""

    status = filters.MultipleChoiceFilter(choices=ExecutionStatus.choices)
    rule = filters.CharFilter(method="by_rule", help_text="Id of the rule, or name.")
    is_shadow = FlagFilter()
    event = filters.CharFilter(field_name="event__uid")

    class Meta:
        model = Execution
        fields = ["status", "source", "rule", "is_shadow", "event", "correlation_id"]

    def by_rule(self, rows: QuerySet[Execution], name: str, value: str) -> QuerySet[Execution]:
        """Of deleted rules too."""
        return rows.filter(Q(rule__uid=value) | Q(name=value))


class Executions(Collection):
    """Executions, newest first."""

    scope = SEE
    schema_tags = TAGS
    serializer_class = ExecutionOut
    filterset_class = ExecutionFilter

    def get_queryset(self) -> QuerySet[Execution]:
        return light(Execution.objects.all()).defer("actions", "facts", "parts", "rule__actions", "event__body")


class OneExecution(View):
    """One execution."""

    scope = SEE
    schema_tags = TAGS

    @extend_schema(responses=ExecutionDetail, summary="Read an execution and what became of it")
    def get(self, request: Request, execution_id: str) -> Response:
        """Why it came about part by part, its actions with their parameters (secrets masked), and each call with its output."""
        return Response(ExecutionDetail(executions.find(execution_id)).data)


class CancelExecution(View):
    """End an execution."""

    scope = RUN
    schema_tags = TAGS

    @extend_schema(request=CancelExecutionIn, responses=ExecutionDetail, summary="Cancel an execution")
    def post(self, request: Request, execution_id: str) -> Response:
        """What has not begun never does; what runs is stopped. Whoever may not run its actions may not stop them either."""
        execution = executions.find(execution_id)
        ensure_may(request, execution.actions or ())
        if not executions.cancel(execution, reason=read(CancelExecutionIn, request).validated_data["reason"]):
            raise Conflict(f"The execution is {execution.status}; there is nothing left to cancel.")
        return Response(ExecutionDetail(executions.find(execution_id)).data)


def light(rows: QuerySet[Execution]) -> QuerySet[Execution]:
    """Newest first, with what a list names."""
    return rows.select_related("rule", "event").order_by("-id")
