"""Addresses of the API of automation: the canonical ones, then the compatibility routes as they are printed."""

from django.urls import path

from automation.api import backups, metrics, queues, reports

canonical = [
    path("system/metrics", metrics.Metrics.as_view()),
    path("system/metrics/<str:name>", metrics.OneMetric.as_view()),
    path("automation/queues", queues.Queues.as_view()),
    path("automation/queues/<str:name>", queues.OneQueue.as_view()),
    path("automation/queues/<str:name>/pause", queues.PauseQueue.as_view()),
    path("automation/queues/<str:name>/resume", queues.ResumeQueue.as_view()),
    path("automation/queues/<str:name>/clear-errors", queues.ClearErrors.as_view()),
    path("automation/queues/<str:name>/requeue-failed", queues.RequeueFailed.as_view()),
    path("automation/queues/<str:name>/items", queues.Items.as_view()),
    path("automation/queues/<str:name>/items/batch", queues.ItemBatch.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>", queues.OneItem.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>/retry", queues.RetryItem.as_view()),
    path("automation/queues/<str:name>/items/<str:item_id>/cancel", queues.CancelItem.as_view()),
    path("automation/reports", reports.Reports.as_view()),
    path("automation/reports/<str:report_id>", reports.OneReport.as_view()),
    path("automation/reports/<str:report_id>/download", reports.DownloadReport.as_view()),
    path("automation/backups", backups.Backups.as_view()),
    path("automation/backups/<str:backup_id>", backups.OneBackup.as_view()),
    path("automation/backups/<str:backup_id>/verify", backups.VerifyBackup.as_view()),
]

compatibility = [path("api/autonomous/system/metrics", metrics.AutonomousMetrics.as_view())]
