"""Delivers what is due: claim, send, record, all at once, until nothing is left. Run as the duty `webhooks.deliver`.

One thread leases rows, signs and records; the client's thread makes the requests; between them is one queue. Whatever is lost on the
way (a worker, the database) comes back when its lease ends; an event may then arrive twice, always under the same `webhook-id`.

    turns         drain(): one at a time in a process, handed over after a while
    pipeline      the round: record, claim, send, collect
    agenda        what is due, and what will be next
    claiming      leases rows, fair between endpoints (statements: the SQL of it)
    sending       claimed row + endpoint → signed request; reply → outcome
    recording     outcomes → attempts, deliveries, batches
    consequences  outcomes → breaker, days of failure, 410, dead letters
    batching      several deliveries → one batch
"""

from webhooks.services.dispatch.agenda import due_count, next_due_at
from webhooks.services.dispatch.batching import drop_empty
from webhooks.services.dispatch.turns import drain, stop

__all__ = ["drain", "drop_empty", "due_count", "next_due_at", "stop"]
