"""Addresses of the pages of automation, under the name `automation:`."""

from django.urls import path

from automation.dashboard import backups, items, metrics, queues, reports

app_name = "automation"
urlpatterns = [
    path("system/metrics", metrics.listing, name="metrics"),
    path("system/metrics/<str:name>", metrics.detail, name="metric"),
    path("system/metrics/<str:name>/data", metrics.data, name="metric-data"),
    path("queues", queues.listing, name="queues"),
    path("queues/new", queues.add, name="queue-new"),
    path("queues/<str:uid>", queues.detail, name="queue"),
    path("queues/<str:uid>/edit", queues.edit, name="queue-edit"),
    path("queues/<str:uid>/add", queues.put, name="queue-add"),
    path("queues/<str:uid>/pause", queues.pause, name="queue-pause"),
    path("queues/<str:uid>/resume", queues.resume, name="queue-resume"),
    path("queues/<str:uid>/clear-errors", queues.clear, name="queue-clear"),
    path("queues/<str:uid>/requeue", queues.requeue, name="queue-requeue"),
    path("queues/<str:uid>/delete", queues.delete, name="queue-delete"),
    path("items/<str:uid>", items.detail, name="item"),
    path("items/<str:uid>/retry", items.retry, name="item-retry"),
    path("items/<str:uid>/cancel", items.cancel, name="item-cancel"),
    path("reports", reports.listing, name="reports"),
    path("reports/new", reports.add, name="report-new"),
    path("reports/<str:uid>", reports.detail, name="report"),
    path("reports/<str:uid>/<str:kind>", reports.download, name="report-file"),
    path("backups", backups.listing, name="backups"),
    path("backups/new", backups.add, name="backup-new"),
    path("backups/<str:uid>", backups.detail, name="backup"),
    path("backups/<str:uid>/verify", backups.verify, name="backup-verify"),
]
