"""Addresses of the roof's own pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from config.dashboard import acting, acting_api, events, overview, records

app_name = "dashboard"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("fragments/health", overview.health_corner, name="health"),
    path("theme", overview.theme, name="theme"),
    path("login", LoginView.as_view(template_name="login.html", redirect_authenticated_user=True), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("search", records.search, name="search"),
    path("events", events.listing, name="events"),
    path("events/publish", events.publish, name="event-publish"),
    path("events/<str:uid>", events.detail, name="event"),
    path("events/<str:uid>/body", events.body, name="event-body"),
    path("events/<str:uid>/reroute", events.reroute, name="event-reroute"),
    path("notifications", records.notification_list, name="notifications"),
    path("notifications/read", records.notifications_read, name="notifications-read"),
    path("notifications/<str:uid>/read", records.notification_read, name="notification-read"),
    path("audit", records.audit, name="audit"),
    path("approvals", acting.approval_list, name="approvals"),
    path("approvals/<str:uid>", acting.approval_detail, name="approval"),
    path("approvals/<str:uid>/approve", acting.approve, name="approval-approve"),
    path("approvals/<str:uid>/reject", acting.reject, name="approval-reject"),
    path("calls", acting.call_list, name="calls"),
    path("calls/<str:uid>", acting.call_detail, name="call"),
    path("calls/<str:uid>/cancel", acting.call_cancel, name="call-cancel"),
    path("calls/<str:uid>/undo", acting.call_undo, name="call-undo"),
    path("api/v1/approvals", acting_api.Approvals.as_view()),
    path("api/v1/approvals/<str:uid>", acting_api.OneApproval.as_view()),
    path("api/v1/approvals/<str:uid>/approve", acting_api.Approve.as_view()),
    path("api/v1/approvals/<str:uid>/reject", acting_api.Reject.as_view()),
    path("api/v1/automation/actions", acting_api.Actions.as_view()),
    path("api/v1/automation/actions/<str:key>", acting_api.OneAction.as_view()),
    path("api/v1/automation/invocations", acting_api.Invocations.as_view()),
    path("api/v1/automation/invocations/<str:uid>", acting_api.OneInvocation.as_view()),
    path("api/v1/automation/invocations/<str:uid>/cancel", acting_api.CancelInvocation.as_view()),
    path("api/v1/automation/invocations/<str:uid>/undo", acting_api.UndoInvocation.as_view()),
]
