"""Search, notifications and the audit trail: pages over rows that belong to no app."""

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from config.kernel.desk import permissions
from config.kernel.flow.errors import capture
from config.kernel.models import AuditRecord, Event, EventType, Notification
from config.kernel.plugins.contracts import Found, finders
from config.kernel.watch import notifications
from config.look import pages

AUDIT_EXPORTED = {
    "at": lambda record: record.created_at,
    "actor": lambda record: record.actor,
    "ip": lambda record: record.ip,
    "kind": lambda record: record.kind,
    "action": lambda record: record.action,
    "subject": lambda record: record.subject,
    "correlation_id": lambda record: record.correlation_id,
    "detail": lambda record: record.detail,
}


NOTIFICATIONS_EXPORTED = {
    "id": lambda row: row.uid,
    "at": lambda row: row.created_at,
    "channel": lambda row: row.channel,
    "urgency": lambda row: row.urgency,
    "title": lambda row: row.title,
    "message": lambda row: row.message,
    "recipients": lambda row: " ".join(row.recipients or []),
    "status": lambda row: row.status,
    "error": lambda row: row.error,
    "sent_at": lambda row: row.sent_at,
    "read_at": lambda row: row.read_at,
}


@finders.plugin("roof.event")
def find_event(asked: str) -> Found | None:
    """An event by its id, or the events of a type, a subject or a correlation id."""
    if event := Event.objects.defer("body").filter(uid=asked).first():
        return Found(f"Event {event.type}", reverse("dashboard:event", args=[event.uid]))
    return None


@finders.plugin("roof.events")
def find_events(asked: str) -> Found | None:
    """The events of a type, a subject or a correlation id."""
    rows, address = Event.objects.order_by(), reverse("dashboard:events")
    if EventType.objects.filter(name=asked).exists():
        return Found(f"Events of the type {asked}", f"{address}?type={asked}")
    for name, field in (("subject", "subject"), ("correlation", "correlation_id")):
        if asked and rows.filter(**{field: asked}).exists():
            return Found(f"Events with the {name} {asked}", f"{address}?{name}={asked}")
    return None


@pages.page()
def search(request: HttpRequest) -> HttpResponseBase:
    """`/search?q=`: straight to the only thing found, else the list of them."""
    asked = request.GET.get("q", "").strip()[:200]
    # What the search box leads to are events, endpoints and what came of them: who may not see them is not told that they exist.
    found = _found(asked) if asked and permissions.may(request.user, "webhooks:view") else []
    if len(found) == 1:
        return HttpResponseRedirect(found[0].url)
    return pages.draw(request, "dashboard/search.html", {"asked": asked, "found": found})


def _found(asked: str) -> list[Found]:
    answers: list[Found] = []
    for key, finder in finders.all().items():
        with capture("finder.failed", finder=key):
            answer = finder(asked)
            if answer is not None:
                answers.append(answer)
    return answers


@pages.page("alerts:view")
def notification_list(request: HttpRequest) -> HttpResponseBase:
    """`/notifications`"""
    rows = _notifications(request)
    shown = {
        "channels": Notification.Channel.choices[1:],
        "urgencies": Notification.Urgency.choices,
        "unread": notifications.unread().count(),
        "kept": [(name, request.GET.get(name, "")) for name in ("channel", "state")],
    }
    return pages.list_page(request, "dashboard/notifications.html", rows, NOTIFICATIONS_EXPORTED, shown, filters=("urgency", "since", "q"))


def _notifications(request: HttpRequest) -> "QuerySet[Notification]":
    rows = Notification.objects.filter(channel=request.GET.get("channel") or Notification.Channel.DASHBOARD)
    if urgency := request.GET.get("urgency"):
        rows = rows.filter(urgency=urgency)
    if asked := request.GET.get("q", "").strip()[:200]:
        rows = rows.filter(Q(title__icontains=asked) | Q(message__icontains=asked))
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    return rows.filter(read_at__isnull=True) if request.GET.get("state") == "unread" else rows


@pages.deed("alerts:acknowledge")
def notification_read(request: HttpRequest, uid: str) -> HttpResponse:
    """`/notifications/<uid>/read`: on to where it leads, or back."""
    notification = pages.one(Notification, uid, what="notification")
    notifications.mark_read(Notification.objects.filter(pk=notification.pk))
    return HttpResponseRedirect(pages.came_from(request))


@pages.deed("alerts:acknowledge")
def notifications_read(request: HttpRequest) -> HttpResponse:
    """`/notifications/read`: all of them."""
    count = notifications.mark_read(notifications.unread())
    return pages.done(request, f"{count} notification{'' if count == 1 else 's'} marked as read.")


@pages.page("audit:view")
def audit(request: HttpRequest) -> HttpResponseBase:
    """`/audit`"""
    rows = AuditRecord.objects.all()
    for name in ("actor", "kind"):
        if value := request.GET.get(name, "").strip():
            rows = rows.filter(**{name: value})
    for name in ("action", "subject"):
        if value := request.GET.get(name, "").strip():
            rows = rows.filter(**{f"{name}__startswith": value})
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    file = pages.export(request, rows, AUDIT_EXPORTED, name="audit")
    if file is not None:
        return file
    return pages.draw(request, "dashboard/audit.html", {"page": pages.listed(request, rows), "kinds": AuditRecord.Kind.choices})
