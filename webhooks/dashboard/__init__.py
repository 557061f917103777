"""The pages of webhooks. Each module is one page or one contribution to a page of the roof; this one fills the navigation."""

from django.conf import settings

from config.kernel.plugins.contracts import Page, pages

OUTGOING, INCOMING, SEE, MANAGE = "Outgoing", "Incoming", "webhooks:view", "webhooks:manage"

pages.register("webhooks.endpoints", Page("Endpoints", "/endpoints", OUTGOING, 110, SEE))
pages.register("webhooks.deliveries", Page("Deliveries", "/deliveries", OUTGOING, 120, SEE))
pages.register("webhooks.dead_letters", Page("Dead letters", "/dead-letters", OUTGOING, 130, SEE))
pages.register("webhooks.sources", Page("Sources", "/sources", INCOMING, 210, SEE))
pages.register("webhooks.receipts", Page("Receipts", "/receipts", INCOMING, 220, SEE))
if settings.EMBEDDED:
    pages.register("webhooks.inbox", Page("Inbox", "/inbox", OUTGOING, 140, SEE))
