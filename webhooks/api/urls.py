"""Addresses of the API of webhooks: the canonical ones, then the compatibility routes as they are printed."""

from django.urls import path

from webhooks.api import compat, deliveries, endpoints, events, keys, sources

canonical = [
    path("events", events.Events.as_view()),
    path("events/batch", events.EventBatch.as_view()),
    path("events/<str:event_id>", events.OneEvent.as_view()),
    path("events/<str:event_id>/route", events.RouteAgain.as_view()),
    path("webhooks/event-types", events.EventTypes.as_view()),
    path("webhooks/event-types/<str:name>", events.OneEventType.as_view()),
    path("webhooks/endpoints", endpoints.Endpoints.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>", endpoints.OneEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/test", endpoints.TestEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/rotate-secret", endpoints.RotateSecret.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/pause", endpoints.PauseEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/resume", endpoints.ResumeEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/disable", endpoints.DisableEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/enable", endpoints.EnableEndpoint.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/explain", endpoints.ExplainEvent.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/replays", endpoints.Replays.as_view()),
    path("webhooks/endpoints/<str:endpoint_id>/replays/preview", endpoints.PreviewReplay.as_view()),
    path("webhooks/replays/<str:replay_id>", deliveries.OneReplay.as_view()),
    path("webhooks/replays/<str:replay_id>/pause", deliveries.PauseReplay.as_view()),
    path("webhooks/replays/<str:replay_id>/resume", deliveries.ResumeReplay.as_view()),
    path("webhooks/replays/<str:replay_id>/cancel", deliveries.CancelReplay.as_view()),
    path("webhooks/deliveries", deliveries.Deliveries.as_view()),
    path("webhooks/deliveries/retry-failed", deliveries.RetryFailed.as_view()),
    path("webhooks/deliveries/<str:delivery_id>", deliveries.OneDelivery.as_view()),
    path("webhooks/deliveries/<str:delivery_id>/retry", deliveries.RetryDelivery.as_view()),
    path("webhooks/deliveries/<str:delivery_id>/cancel", deliveries.CancelDelivery.as_view()),
    path("webhooks/stats", deliveries.Stats.as_view()),
    path("webhooks/test", deliveries.TestEvent.as_view()),
    path("webhooks/sources", sources.Sources.as_view()),
    path("webhooks/sources/<slug:slug>", sources.OneSource.as_view()),
    path("webhooks/sources/<slug:slug>/pause", sources.PauseSource.as_view()),
    path("webhooks/sources/<slug:slug>/resume", sources.ResumeSource.as_view()),
    path("webhooks/sources/<slug:slug>/rotate-secret", sources.RotateSourceSecret.as_view()),
    path("webhooks/sources/<slug:slug>/setup", sources.SourceSetup.as_view()),
    path("webhooks/inbound", sources.Receipts.as_view()),
    path("webhooks/inbound/<str:receipt_id>", sources.OneReceipt.as_view()),
    path("webhooks/inbound/<str:receipt_id>/reprocess", sources.ReprocessReceipt.as_view()),
]

# Fixed routes before those with an id: `system` and `test` are reserved ids.
compatibility = [
    path("api/autonomous/webhooks", compat.AutonomousWebhooks.as_view()),
    path("api/autonomous/webhooks/system/stats", compat.AutonomousStats.as_view()),
    path("api/autonomous/webhooks/test", compat.AutonomousTest.as_view()),
    path("api/autonomous/webhooks/<str:webhook_id>", compat.AutonomousWebhook.as_view()),
    path("api/autonomous/events", compat.AutonomousEvents.as_view()),
    path("webhooks/test", compat.ShortTest.as_view()),
    path("api/webhooks", compat.ListWebhooks.as_view()),
    path("api/webhooks/register", compat.RegisterWebhook.as_view()),
    path("api/webhooks/<str:webhook_id>", compat.DeleteWebhook.as_view()),
]

# For receivers, who have no token.
public = [path(".well-known/webhook-public-keys/<str:endpoint_id>", keys.PublicKeys.as_view())]
