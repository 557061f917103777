"""`manage.py queues …`: work that waits."""

from collections.abc import Mapping
from typing import Any

from automation.models import Queue, WorkItem
from automation.services import queues, work
from automation.services.work import Figures
from config.kernel.flow.errors import Conflict
from config.kernel.flow.outcomes import NotConfigured, Refused
from config.kernel.management.deeds import Deed, DeedCommand, json_object, number


def listed(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All queues, by name."""
    rows = list(Queue.living.defer("parameters").order_by("slug"))
    found = work.figures_of(rows)
    return [row(one, found[one.pk]) for one in rows]


def row(queue: Queue, figures: Figures | None = None) -> dict[str, Any]:
    """A queue as this command shows it."""
    found = figures or work.figures(queue)
    return {
        "slug": queue.slug,
        "processor": queue.processor,
        "paused": queue.is_paused,
        "waiting": found.depth,
        "oldest_seconds": round(found.oldest_age_seconds),
        "at_work": found.processing,
        "failed": found.failed,
        "per_minute": round(found.throughput_per_minute, 1),
    }


def item_row(item: WorkItem) -> dict[str, Any]:
    """An item as this command shows it."""
    return {
        "id": item.uid,
        "status": item.state,
        "attempts": item.attempts,
        "key": item.key,
        "queued_at": item.queued_at,
        "next_attempt_at": item.next_attempt_at,
        "error": item.error_message,
    }


def create(given: Mapping[str, Any]) -> dict[str, Any]:
    """A new queue."""
    return row(queues.create(slug=given["queue"], **_fields(given)))


def change(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, changed."""
    return row(queues.update(queues.find(given["queue"]), **_fields(given)))


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of a queue's settings."""
    return {name: given[name] for name in ("name", "processor", "parameters", *CHOICES, *queues.BOUNDS) if given[name] is not None}


def add(given: Mapping[str, Any]) -> dict[str, Any]:
    """One item, put in."""
    return item_row(work.enqueue(queues.find(given["queue"]), given["payload"], key=given["key"], priority=given["priority"]))


def items(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Items, newest first."""
    rows = WorkItem.objects.filter(queue=queues.find(given["queue"])).defer("payload", "result")
    if given["status"]:
        rows = rows.filter(status=given["status"])
    return [item_row(item) for item in rows.order_by("-id")[: given["limit"]]]


def show(given: Mapping[str, Any]) -> dict[str, Any]:
    """One item with what it asks for and what came of it."""
    item = work.find(given["item"])
    return {**item_row(item), "queue": item.queue.slug, "payload": item.payload, "result": item.result, "error_code": item.error_code}


def step(deed: Any) -> Any:
    """A deed that pauses or resumes a queue."""

    def do(given: Mapping[str, Any]) -> dict[str, Any]:
        queue = queues.find(given["queue"])
        changed = bool(deed(queue))
        return {**row(queue), "changed": changed}

    return do


def requeue(given: Mapping[str, Any]) -> dict[str, Any]:
    """One item, or all failed ones of a queue, back in line."""
    if given["name"].startswith("itm_"):
        item = work.find(given["name"])
        return {"requeued": int(work.requeue(item)), "queue": item.queue.slug}
    queue = queues.find(given["name"])
    return {"requeued": work.requeue_failed(queue), "queue": queue.slug}


def cancel(given: Mapping[str, Any]) -> dict[str, Any]:
    """One item, cancelled."""
    return {"cancelled": work.cancel(work.find(given["item"])), "id": given["item"]}


def clear_errors(given: Mapping[str, Any]) -> dict[str, Any]:
    """Failed items of one queue or of all, archived."""
    queue = queues.find(given["queue"]) if given["queue"] else None
    return {"archived": work.clear_errors(queue), "queue": queue.slug if queue else "all"}


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is due, worked off here and now."""
    queue, done = queues.find(given["queue"]), 0
    match work.refused(queue):
        case Refused(reason=why) | NotConfigured(what=why):
            raise Conflict(why)
    while done < given["limit"] and (taken := work.take(queue, 1, selection="priority")).items:
        if not (settled := work.process(taken)):
            break
        done += 1
        if settled[0].then.status == "held":
            break
    return {"worked": done, **row(queues.find(given["queue"]))}


def delete(given: Mapping[str, Any]) -> dict[str, Any]:
    """The queue, deleted."""
    return {"deleted": given["queue"], "cancelled": queues.delete(queues.find(given["queue"]))}


QUEUE = {"queue": {"help": "Short name or id of the queue."}}
ITEM = {"item": {"help": "Id of the item, itm_…."}}
HELP = {
    "max_in_progress": "Items at once, when it is worked off by itself.",
    "timeout_seconds": "The longest one attempt may take, in seconds.",
    "max_attempts": "Attempts in all, the first one included.",
    "retry_base_seconds": "The first wait between attempts, in seconds.",
    "retry_max_delay_seconds": "The longest wait between attempts, in seconds.",
    "max_length": "Items waiting at most; beyond it new ones are refused.",
    "delayed_depth": "More waiting items than this: processing.delayed.",
    "delayed_age_seconds": "An item that waits longer than this: processing.delayed.",
}
CHOICES = ("is_automatic", "retry_strategy")
SETTINGS: dict[str, dict[str, Any]] = {
    "--name": {"help": "For people."},
    "--processor": {"help": "What works its items off, such as automation.http_call or automation.command."},
    "--parameters": {"type": json_object, "help": "What the processor needs to know, a JSON object."},
    "--when-asked": {"dest": "is_automatic", "action": "store_false", "default": None, "help": "Do not work items off as they come."},
    "--as-they-come": {"dest": "is_automatic", "action": "store_true", "default": None, "help": "Work items off as they come."},
    "--retry-strategy": {"choices": Queue.Strategy.values, "default": None, "help": "How the waits between attempts grow."},
    **{f"--{name.replace('_', '-')}": {"type": number(least, most), "help": HELP[name]} for name, (least, most) in queues.BOUNDS.items()},
}


class Command(DeedCommand):
    """Each deed is one call of the service that the API calls too."""

    help = "Add, change, pause, resume and delete queues; put items in, show, requeue, cancel and work them off; clear error queues."
    deeds = {
        "list": Deed("All queues, with how they stand.", listed),
        "create": Deed(
            "Add a queue.",
            create,
            {**QUEUE, **SETTINGS},
        ),
        "change": Deed("Change a queue; what is left out stays.", change, {**QUEUE, **SETTINGS}),
        "add": Deed(
            "Put an item into a queue.",
            add,
            {
                **QUEUE,
                "--payload": {"type": json_object, "default": "{}", "help": "What the processor is told, a JSON object."},
                "--key": {"default": "", "help": "Put in again under it, it is the same item."},
                "--priority": {"type": number(0, 3), "default": 1, "help": "0 low, 1 normal, 2 high, 3 critical."},
            },
        ),
        "items": Deed(
            "Items of a queue, newest first.",
            items,
            {
                **QUEUE,
                "--status": {"choices": WorkItem.Status.values, "default": "", "help": "Only these."},
                "--limit": {"type": number(1, 10_000), "default": 50, "help": "How many at most."},
            },
        ),
        "show": Deed("One item, with its payload and result.", show, ITEM),
        "pause": Deed("Take nothing more from it; items may still come.", step(queues.pause), QUEUE),
        "resume": Deed("Work it off again.", step(queues.resume), QUEUE),
        "requeue": Deed("Put back an item, or all failed ones of a queue.", requeue, {"name": {"help": "Item (itm_…) or queue."}}),
        "cancel": Deed("Cancel an item.", cancel, ITEM),
        "clear_errors": Deed(
            "Archive failed items; dead letters are never touched.",
            clear_errors,
            {"queue": {"nargs": "?", "default": "", "help": "Short name or id; left out: all queues."}},
        ),
        "work": Deed(
            "Work off what is due, here and now, even if the queue only works when asked.",
            run,
            {**QUEUE, "--limit": {"type": number(1, 1_000_000), "default": 1_000_000, "help": "How many at most."}},
        ),
        "delete": Deed("Delete a queue; what waits in it is cancelled.", delete, QUEUE),
    }
