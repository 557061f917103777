"""The pages of backups: what there is, whether it is whole, and making another one. What is in them cannot be fetched from here."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from automation.dashboard import MAKE, SEE
from automation.forms.backups import BackupForm
from automation.services import backups
from automation.services.archives import backup_parts
from config.acts.models import Backup
from config.acts.running import invocations
from config.kernel.desk import permissions
from config.look import pages

EXPORTED = {
    "id": lambda backup: backup.uid,
    "kind": lambda backup: backup.kind,
    "types": lambda backup: " ".join(backup.types),
    "bytes": lambda backup: backup.size,
    "sha256": lambda backup: backup.sha256,
    "host": lambda backup: backup.host,
    "created_by": lambda backup: backup.created_by,
    "created_at": lambda backup: backup.created_at,
    "verified_at": lambda backup: backup.verified_at,
    "expires_at": lambda backup: backup.expires_at,
}


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/backups`"""
    rows = _filtered(request)
    shown = {
        "kinds": Backup.Kind.choices,
        "may_make": permissions.may(request.user, MAKE),
    }
    return pages.list_page(request, "automation/backups.html", rows, EXPORTED, shown, filters=("kind", "since"))


def _filtered(request: HttpRequest) -> "QuerySet[Backup]":
    rows = Backup.objects.order_by("-id")
    if kind := request.GET.get("kind", ""):
        rows = rows.filter(kind=kind)
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    return rows


@pages.form(MAKE)
def add(request: HttpRequest) -> HttpResponse:
    """`/backups/new`"""
    form = BackupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = invocations.call("automation.backup_data", form.cleaned_data, owner=request.user.get_username(), caller="dashboard")
        told = f"A backup was asked for ({asked.uid}); here is what becomes of it. Once it was read back, it is among the backups."
        return pages.done(request, told, to=reverse("dashboard:call", args=[asked.uid]))
    return pages.draw(request, "automation/backup_form.html", {"form": form, "folders": backup_parts.folders()})


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/backups/<uid>`"""
    backup: Backup = pages.one(Backup, uid, what="backup")
    shown = {"backup": backup, "parts": backup.manifest.get("parts", {}), "may_make": permissions.may(request.user, MAKE)}
    return pages.draw(request, "automation/backup.html", shown)


@pages.deed(MAKE)
def verify(request: HttpRequest, uid: str) -> HttpResponse:
    """`/backups/<uid>/verify`"""
    backups.verify(pages.one(Backup, uid, what="backup"))
    return pages.done(request, f"{uid} was read from end to end and is whole.")
