"""The page of one item of a queue, and what is done to it; where the search box leads; what an event's story tells of items."""

from collections.abc import Iterator, Sequence

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from automation.dashboard.queues import RUN, SEE
from automation.models import Queue, WorkItem
from automation.services import work
from config.kernel.desk import permissions
from config.kernel.models import Event
from config.kernel.plugins.contracts import Found, Moment, finders, storytellers
from config.look import pages

TOLD = 100
TONES = {"done": "ok", "failed": "bad", "cancelled": "held", "archived": "held"}


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponse:
    """`/items/<uid>`"""
    item = work.find(uid)
    shown = {
        "item": item,
        "queue": item.queue,
        "cause": Event.objects.filter(uid=item.cause_uid).defer("body").first() if item.cause_uid else None,
        "can_retry": item.state in ("failed", "retrying", "cancelled", "archived") and item.queue.deleted_at is None,
        "can_cancel": item.status in WorkItem.OPEN,
        "may_run": permissions.may(request.user, RUN),
    }
    return pages.draw(request, "automation/item.html", shown)


@pages.deed(RUN)
def retry(request: HttpRequest, uid: str) -> HttpResponse:
    """`/items/<uid>/retry`"""
    if work.requeue(work.find(uid)):
        return pages.done(request, f"The item {uid} is back in line.")
    return pages.nothing(request, f"The item {uid} is due already.")


@pages.deed(RUN, question="Cancel the item {uid}?", detail="It is not worked any more; it can be put back later.", yes="Cancel the item")
def cancel(request: HttpRequest, uid: str) -> HttpResponse:
    """`/items/<uid>/cancel`"""
    if work.cancel(work.find(uid)):
        return pages.done(request, f"The item {uid} is cancelled.")
    return pages.nothing(request, f"The item {uid} had ended already.")


@finders.plugin("automation.queue")
def find_queue(asked: str) -> Found | None:
    """`que_…`, or its short name."""
    found = Queue.living.filter(uid=asked).first() or Queue.living.filter(slug=asked).first()
    return Found(f"Queue {found.slug}", reverse("automation:queue", args=[found.uid])) if found else None


@finders.plugin("automation.item")
def find_item(asked: str) -> Found | None:
    """`itm_…`."""
    if asked.startswith("itm_") and WorkItem.objects.filter(uid=asked).exists():
        return Found(f"Item {asked}", reverse("automation:item", args=[asked]))
    return None


@storytellers.plugin("automation.items")
def tell(event: Event) -> Sequence[Moment]:
    """What the event brought into queues, and what became of it."""
    rows = WorkItem.objects.filter(cause_uid=event.uid).select_related("queue").defer("payload", "result").order_by("id")
    return [moment for item in rows[:TOLD] for moment in _moments(item)]


def _moments(item: WorkItem) -> Iterator[Moment]:
    address = reverse("automation:item", args=[item.uid])
    yield Moment(item.created_at, "item", f"An item was put into the queue {item.queue.slug}", url=address)
    if item.ended_at is not None:
        why = f": {item.error_message}" if item.error_message and item.status == WorkItem.Status.FAILED else ""
        text = f"The item of {item.queue.slug} is {item.status}{why}"
        yield Moment(item.ended_at, "item", text, url=address, tone=TONES.get(item.status, "info"))
