"""The pages of sources: the list, one source with its set-up help, adding and changing one, and what is done to one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from config.kernel.desk import options, permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput
from config.look import pages
from webhooks.dashboard import MANAGE, SEE
from webhooks.engine import presets
from webhooks.enums import Preset, ReceiptStatus
from webhooks.forms.fields import SecretForm
from webhooks.forms.sources import SourceForm
from webhooks.models import Receipt, Source
from webhooks.services import sources

WINDOW = timedelta(hours=24)
RECENT = 10
EXPORTED = {
    "id": lambda source: source.uid,
    "slug": lambda source: source.slug,
    "name": lambda source: source.name,
    "preset": lambda source: source.preset,
    "status": lambda source: source.status,
    "last_receipt_at": lambda source: source.last_at,
    "created_at": lambda source: source.created_at,
}


@dataclass(frozen=True)
class Line:
    """One source of the list: `counts` by status of its receipts of the last 24 hours."""

    source: Any
    counts: Mapping[str, int]
    total: int


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/sources`"""
    rows = _filtered(request)
    file = pages.export(request, rows, EXPORTED, name="sources")
    if file is not None:
        return file
    page = pages.listed(request, rows)
    shown = {
        "page": page,
        "lines": lines(page.rows, now=clock.now()),
        "presets": Preset.choices,
        "is_filtered": pages.is_filtered(request, "preset", "q"),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/sources.html", shown)


def lines(rows: Sequence[Source], *, now: datetime) -> list[Line]:
    """The sources with the counts of each, in one statement."""
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(ReceiptStatus.values, 0))
    counted = Receipt.objects.filter(source__in=[row.pk for row in rows], created_at__gte=now - WINDOW).order_by()
    for key, status, count in counted.values_list("source_id", "status").annotate(count=Count("pk")):
        found[key][status] = count
    return [Line(row, found[row.pk], sum(found[row.pk].values())) for row in rows]


def _filtered(request: HttpRequest) -> "QuerySet[Source]":
    last = Receipt.objects.filter(source=OuterRef("pk")).order_by("-id").values("created_at")[:1]
    rows: QuerySet[Source] = Source.living.defer("secret", "old_secrets").annotate(last_at=Subquery(last)).order_by("slug")
    if preset := request.GET.get("preset", ""):
        rows = rows.filter(preset=preset)
    if asked := request.GET.get("q", "").strip()[:100]:
        rows = rows.filter(slug__icontains=asked) | rows.filter(name__icontains=asked)
    return rows


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>`"""
    source, now = _one(uid), clock.now()
    known = sources.ready(source)
    shown = {
        "source": source,
        "line": lines([source], now=now)[0],
        "help": sources.setup_help(source),
        "known": known,
        "has_secret": bool(source.secret),
        "old_secrets": len(known.accepted_secrets(now)) - bool(source.secret),
        "is_secret_ours": presets.PRESETS[source.preset].is_secret_ours,
        "receipts": Receipt.objects.filter(source=source).select_related("event").defer("body", "event__body")[:RECENT],
        "gaps": _gaps(source),
        "may_manage": permissions.may(request.user, MANAGE),
    }
    return pages.draw(request, "webhooks/source.html", shown)


def _gaps(source: Source) -> Mapping[str, Any] | None:
    """What the search for missed deliveries found last; None for senders that it does not concern."""
    if source.preset != Preset.GITHUB:
        return None
    state: Mapping[str, Any] = source.gap_state or {}
    return {
        "hook": source.github_hook,
        "is_configured": bool(settings.GITHUB_TOKEN),
        "checked_at": source.gap_checked_at,
        "missing": len(state.get("missing", {})),
        "redelivered": state.get("redelivered", 0),
        "error": state.get("error", ""),
    }


@pages.form(MANAGE)
def add(request: HttpRequest) -> HttpResponse:
    """`/sources/new`: the answer to the POST shows the secret, this once."""
    form = SourceForm(request.POST or None, initial={"preset": request.GET.get("preset", Preset.GITHUB)})
    if request.method == "POST" and form.is_valid():
        try:
            made = sources.create(**_given(form))
        except InvalidInput as error:
            form.blame(error)
        except Conflict as error:
            form.add_error("slug", error.message)
        else:
            return _show_secret(request, made.source, made.secret, deed="added")
    return pages.draw(request, "webhooks/source_form.html", {"form": form})


@pages.form(MANAGE)
def edit(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>/edit`"""
    source = _one(uid)
    form = SourceForm(request.POST or None, source=source)
    if request.method == "POST" and form.is_valid():
        try:
            sources.update(source, **_given(form))
        except InvalidInput as error:
            form.blame(error)
        else:
            return pages.done(request, f"The source {source.slug} is saved.", to=_page(uid))
    return pages.draw(request, "webhooks/source_form.html", {"form": form, "source": source})


@pages.form(MANAGE)
def rotate(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>/rotate`: the answer to the POST shows the new secret, this once."""
    source = _one(uid)
    form = SecretForm(request.POST or None, initial={"overlap_hours": options.get("WEBHOOK_ROTATION_HOURS")})
    if request.method == "POST" and form.is_valid():
        try:
            return _show_secret(request, source, sources.rotate_secret(source, **form.cleaned_data), deed="rotated")
        except InvalidInput as error:
            form.add_error("secret", error.message)
    shown = {
        "form": form,
        "name": source.slug,
        "uid": source.slug,
        "page": _page(uid),
        "list": reverse("webhooks:sources"),
        "is_outgoing": False,
        "sender": "" if presets.PRESETS[source.preset].is_secret_ours else source.get_preset_display(),
    }
    return pages.draw(request, "webhooks/rotate.html", shown)


@pages.deed(MANAGE)
def pause(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>/pause`"""
    source = _one(uid)
    if sources.pause(source):
        return pages.done(request, f"The source {source.slug} is paused. Its sender hears 503 and may come again later.")
    return pages.nothing(request, f"The source {source.slug} was paused already.")


@pages.deed(MANAGE)
def resume(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>/resume`"""
    source = _one(uid)
    if sources.resume(source):
        return pages.done(request, f"The source {source.slug} is listened to again.")
    return pages.nothing(request, f"The source {source.slug} was not paused.")


@pages.deed(
    MANAGE,
    question="Delete the source {uid}?",
    detail="Its address answers 404 from then on. Its receipts and events stay until their retention ends.",
    yes="Delete",
)
def delete(request: HttpRequest, uid: str) -> HttpResponse:
    """`/sources/<uid>/delete`"""
    source = _one(uid)
    sources.delete(source)
    return pages.done(request, f"The source {source.slug} is deleted. Its address answers 404 now.", to=reverse("webhooks:sources"))


def _show_secret(request: HttpRequest, source: Source, secret: str, *, deed: str) -> HttpResponse:
    """The one page that shows a secret; browsers are told not to keep it."""
    shown = {"source": source, "secret": secret, "deed": deed, "help": sources.setup_help(source)}
    response = pages.draw(request, "webhooks/source_secret.html", shown)
    response["Cache-Control"] = "no-store"
    return response


def _given(form: SourceForm) -> dict[str, Any]:
    return dict(form.cleaned_data)


def _one(uid: str) -> Source:
    found: Source = pages.one(Source.living.all(), uid, what="source")
    return found


def _page(uid: str) -> str:
    return reverse("webhooks:source", args=[uid])
