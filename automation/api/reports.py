"""`/api/v1/automation/reports`: what was counted over a period."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from automation.api.serializers.reports import ReportDetail, ReportIn, ReportOut
from automation.models import Report
from automation.services import reports
from automation.services.reporting import report_files
from config.doors.api import Collection, IdempotencyKey, View
from config.doors.bodies import read
from config.kernel.flow.errors import InvalidInput

SCOPES = {"GET": "metrics:view", "POST": "actions:execute_standard"}
KINDS = ("html", "json")


class Reports(IdempotencyKey, Collection):
    """Reports, newest first."""

    scopes = SCOPES
    schema_tags = ("reports",)
    serializer_class = ReportOut

    def get_queryset(self) -> QuerySet[Report]:
        return Report.objects.defer("content").order_by("-id")

    @extend_schema(request=ReportIn, responses={201: ReportDetail}, summary="Generate a report")
    def post(self, request: Request) -> Response:
        """It is made and kept; where there are recipients, a mail takes its HTML to them."""
        fields: dict[str, Any] = dict(read(ReportIn, request).validated_data)
        made, _ = reports.generate(fields.pop("report_types"), **fields, created_by=request.user.get_username())
        return Response(ReportDetail(made).data, status=201)


class OneReport(View):
    """One report."""

    scopes = SCOPES
    schema_tags = ("reports",)

    @extend_schema(responses=ReportDetail, summary="Read a report")
    def get(self, request: Request, report_id: str) -> Response:
        """Its figures, charts and tables."""
        return Response(ReportDetail(reports.find(report_id)).data)


class DownloadReport(View):
    """A report as a file."""

    scopes = SCOPES
    schema_tags = ("reports",)

    @extend_schema(
        parameters=[OpenApiParameter("as", str, enum=KINDS, description="`html` (the default) or `json`.")],
        responses={(200, "text/html"): str, (200, "application/json"): {"type": "object"}},
        summary="Download a report",
    )
    def get(self, request: Request, report_id: str) -> HttpResponse:
        """The HTML needs nothing from outside."""
        kind = request.query_params.get("as", "html")
        if kind not in KINDS:
            raise InvalidInput(f"A report cannot be had as {kind!r}; ask for html or json.", fields={"as": ["html or json."]})
        found = report_files.file_of(reports.find(report_id), kind)
        answer = HttpResponse(found.body, content_type=found.content_type)
        answer["Content-Disposition"] = f'attachment; filename="{found.name}"'
        return answer
