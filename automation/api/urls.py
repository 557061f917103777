"""Addresses of the API of automation: the canonical ones, then the compatibility routes as they are printed."""

from django.urls import path

from automation.api import metrics, queues

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
]

compatibility = [path("api/autonomous/system/metrics", metrics.AutonomousMetrics.as_view())]
