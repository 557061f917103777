"""The pages of reports: what was counted over a period, to read and to take away."""

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from automation.dashboard import MAKE, SEE
from automation.forms.reports import CHOICES, ReportPage
from automation.models import Report
from automation.services import reports
from automation.services.reporting import report_files
from config.kernel.desk import permissions
from config.kernel.flow.errors import NotFound, PermanentError
from config.look import pages

EXPORTED = {
    "id": lambda report: report.uid,
    "title": lambda report: report.title,
    "since": lambda report: report.since,
    "until": lambda report: report.until,
    "bytes": lambda report: report.size,
    "created_by": lambda report: report.created_by,
    "created_at": lambda report: report.created_at,
}


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/reports`"""
    rows = _filtered(request)
    shown = {
        "kinds": CHOICES,
        "may_make": permissions.may(request.user, MAKE),
    }
    return pages.list_page(request, "automation/reports.html", rows, EXPORTED, shown, filters=("type", "since"))


def _filtered(request: HttpRequest) -> "QuerySet[Report]":
    rows = Report.objects.defer("content").order_by("-id")
    if kind := request.GET.get("type", ""):
        # As text: SQLite cannot look into a JSON array.
        rows = rows.annotate(kinds=Cast("types", TextField())).filter(kinds__contains=f'"{kind[:40]}"')
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    return rows


@pages.form(MAKE)
def add(request: HttpRequest) -> HttpResponse:
    """`/reports/new`"""
    form = ReportPage(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made, mails = reports.generate(**form.deed_fields(), created_by=request.user.get_username())
        except PermanentError as error:
            form.add_error(None, error.message)
        else:
            sent = f" A mail takes it to {', '.join(made.recipients)}." if mails else ""
            return pages.done(request, f"The report is made.{sent}", to=reverse("automation:report", args=[made.uid]))
    return pages.draw(request, "automation/report_form.html", {"form": form})


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/reports/<uid>`"""
    report: Report = pages.one(Report, uid, what="report")
    return pages.draw(request, "automation/report.html", {"report": report, "parts": report_files.shown(report)})


@pages.page(SEE)
def download(request: HttpRequest, uid: str, kind: str) -> HttpResponse:
    """`/reports/<uid>/html` and `/reports/<uid>/json`: as a file."""
    if kind not in ("html", "json"):
        raise NotFound(f"A report cannot be had as {kind}; there are html and json.")
    found = report_files.file_of(pages.one(Report, uid, what="report"), kind)
    answer = HttpResponse(found.body, content_type=found.content_type)
    answer["Content-Disposition"] = f'attachment; filename="{found.name}"'
    return answer
