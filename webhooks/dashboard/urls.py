"""Addresses of the pages of webhooks, under the name `webhooks:`."""

from django.urls import path

from webhooks.dashboard import dead_letters, deliveries, endpoint_deeds, endpoints, inbox, receipts, replays, sources

app_name = "webhooks"
urlpatterns = [
    path("endpoints", endpoints.listing, name="endpoints"),
    path("endpoints/new", endpoints.add, name="endpoint-new"),
    path("endpoints/<str:uid>", endpoints.detail, name="endpoint"),
    path("endpoints/<str:uid>/edit", endpoints.edit, name="endpoint-edit"),
    path("endpoints/<str:uid>/test", endpoint_deeds.test, name="endpoint-test"),
    path("endpoints/<str:uid>/pause", endpoint_deeds.pause, name="endpoint-pause"),
    path("endpoints/<str:uid>/resume", endpoint_deeds.resume, name="endpoint-resume"),
    path("endpoints/<str:uid>/disable", endpoint_deeds.disable, name="endpoint-disable"),
    path("endpoints/<str:uid>/enable", endpoint_deeds.enable, name="endpoint-enable"),
    path("endpoints/<str:uid>/rotate", endpoint_deeds.rotate, name="endpoint-rotate"),
    path("endpoints/<str:uid>/delete", endpoint_deeds.delete, name="endpoint-delete"),
    path("endpoints/<str:uid>/replay", replays.ask, name="endpoint-replay"),
    path("endpoints/<str:uid>/redeliver-dead", dead_letters.redeliver_all, name="endpoint-redeliver-dead"),
    path("deliveries", deliveries.listing, name="deliveries"),
    path("deliveries/<str:uid>", deliveries.detail, name="delivery"),
    path("deliveries/<str:uid>/redeliver", deliveries.redeliver, name="delivery-redeliver"),
    path("deliveries/<str:uid>/cancel", deliveries.cancel, name="delivery-cancel"),
    path("dead-letters", dead_letters.listing, name="dead-letters"),
    path("dead-letters/redeliver", dead_letters.redeliver, name="dead-letters-redeliver"),
    path("dead-letters/all", dead_letters.redeliver_all, name="dead-letters-all"),
    path("replays/<str:uid>", replays.detail, name="replay"),
    path("replays/<str:uid>/pause", replays.pause, name="replay-pause"),
    path("replays/<str:uid>/resume", replays.resume, name="replay-resume"),
    path("replays/<str:uid>/cancel", replays.cancel, name="replay-cancel"),
    path("sources", sources.listing, name="sources"),
    path("sources/new", sources.add, name="source-new"),
    path("sources/<str:uid>", sources.detail, name="source"),
    path("sources/<str:uid>/edit", sources.edit, name="source-edit"),
    path("sources/<str:uid>/rotate", sources.rotate, name="source-rotate"),
    path("sources/<str:uid>/pause", sources.pause, name="source-pause"),
    path("sources/<str:uid>/resume", sources.resume, name="source-resume"),
    path("sources/<str:uid>/delete", sources.delete, name="source-delete"),
    path("receipts", receipts.listing, name="receipts"),
    path("receipts/<str:uid>", receipts.detail, name="receipt"),
    path("receipts/<str:uid>/reprocess", receipts.reprocess, name="receipt-reprocess"),
    path("inbox", inbox.page, name="inbox"),
    path("inbox/receive", inbox.receive, name="inbox-receive"),
    path("inbox/empty", inbox.empty, name="inbox-empty"),
]
