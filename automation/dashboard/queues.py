"""The pages of queues: the list, one queue with its items, adding and changing one, and what is done to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from automation.forms.queues import ItemForm, QueueForm
from automation.models import Queue, WorkItem
from automation.services import queues, work
from automation.services.work import Figures
from config.acts.plugins.processors import processors
from config.kernel.desk import permissions
from config.kernel.flow.errors import Conflict, InvalidInput, LimitReached
from config.kernel.plugins.contracts import Page
from config.kernel.plugins.contracts import pages as navigation
from config.look import pages

SEE, MANAGE, RUN = "workflows:view", "rules:manage", "workflows:execute"
navigation.register("automation.queues", Page("Queues", "/queues", "Automation", 340, SEE))

STATES = [*WorkItem.Status.choices]
EXPORTED = {
    "id": lambda queue: queue.uid,
    "slug": lambda queue: queue.slug,
    "name": lambda queue: queue.name,
    "processor": lambda queue: queue.processor,
    "is_paused": lambda queue: queue.is_paused,
    "depth": lambda queue: _standing(queue).depth,
    "failed": lambda queue: _standing(queue).failed,
    "oldest_age_seconds": lambda queue: _standing(queue).oldest_age_seconds,
    "throughput_per_minute": lambda queue: _standing(queue).throughput_per_minute,
}
ITEMS_EXPORTED = {
    "id": lambda item: item.uid,
    "key": lambda item: item.key or "",
    "status": lambda item: item.state,
    "priority": lambda item: item.priority,
    "attempts": lambda item: item.attempts,
    "error_code": lambda item: item.error_code,
    "error_message": lambda item: item.error_message,
    "batch": lambda item: item.batch,
    "queued_at": lambda item: item.queued_at,
    "next_attempt_at": lambda item: item.next_attempt_at,
    "ended_at": lambda item: item.ended_at,
}


@dataclass(frozen=True)
class Line:
    """One queue of the list: `works` is how people know its processor."""

    queue: Queue
    figures: Figures
    works: str

    @property
    def standing(self) -> tuple[str, str]:
        """A tone and a word: what a person should see first."""
        if self.queue.is_paused:
            return "held", "paused"
        if self.figures.is_delayed:
            return "bad", "delayed"
        if self.figures.failed:
            return "bad", "has errors"
        if self.figures.processing:
            return "info", "working"
        return ("ok", "ready") if self.works else ("off", "collecting")


def lines(rows: Sequence[Queue]) -> list[Line]:
    """The queues with how they stand, in two statements."""
    found, known = work.figures_of(rows), processors.all()
    return [Line(row, found[row.pk], known[row.processor].title if row.processor in known else "") for row in rows]


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/queues`"""
    rows = _filtered(request)
    file = pages.export(request, rows, EXPORTED, name="queues")
    if file is not None:
        return file
    page = pages.listed(request, rows)
    shown = {"page": page, "lines": lines(page.rows), "is_filtered": bool(request.GET.get("q")), "may_manage": _may(request, MANAGE)}
    return pages.draw(request, "automation/queues.html", shown)


def _filtered(request: HttpRequest) -> "QuerySet[Queue]":
    rows: QuerySet[Queue] = Queue.living.defer("parameters").order_by("slug")
    if asked := request.GET.get("q", "").strip()[:100]:
        rows = rows.filter(Q(slug__icontains=asked) | Q(name__icontains=asked))
    return rows


@pages.page(SEE)
def detail(request: HttpRequest, uid: str) -> HttpResponseBase:
    """`/queues/<uid>`"""
    queue = one(uid)
    rows = _items(request, queue)
    file = pages.export(request, rows, ITEMS_EXPORTED, name=f"items-of-{queue.slug}")
    if file is not None:
        return file
    shown = {
        "queue": queue,
        "line": lines([queue])[0],
        "parameters": queues.shown_parameters(queue),
        "page": pages.listed(request, rows),
        "states": STATES,
        "is_filtered": any(request.GET.get(name) for name in ("status", "q", "since")),
        "may_manage": _may(request, MANAGE),
        "may_run": _may(request, RUN),
    }
    return pages.draw(request, "automation/queue.html", shown)


def _items(request: HttpRequest, queue: Queue) -> "QuerySet[WorkItem]":
    rows = WorkItem.objects.filter(queue=queue).defer("payload", "result")
    if status := request.GET.get("status", ""):
        rows = rows.filter(status=status)
    if asked := request.GET.get("q", "").strip()[:200]:
        rows = rows.filter(Q(uid=asked) | Q(key__icontains=asked) | Q(batch=asked) | Q(error_code=asked))
    if since := pages.since(request):
        rows = rows.filter(created_at__gte=since)
    return rows.order_by("-id")


@pages.form(MANAGE)
def add(request: HttpRequest) -> HttpResponse:
    """`/queues/new`"""
    form = QueueForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = queues.create(**form.cleaned_data)
        except InvalidInput as error:
            form.blame(error)
        except Conflict as error:
            form.add_error("slug", error.message)
        else:
            return pages.done(request, f"The queue {made.slug} is there.", to=_page(made.uid))
    return pages.draw(request, "automation/queue_form.html", {"form": form})


@pages.form(MANAGE)
def edit(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/edit`"""
    queue = one(uid)
    form = QueueForm(request.POST or None, queue=queue)
    if request.method == "POST" and form.is_valid():
        try:
            queues.update(queue, **form.cleaned_data)
        except InvalidInput as error:
            form.blame(error)
        except Conflict as error:
            form.add_error("slug", error.message)
        else:
            return pages.done(request, f"The queue {queue.slug} is saved.", to=_page(uid))
    return pages.draw(request, "automation/queue_form.html", {"form": form, "queue": one(uid)})


@pages.form(RUN)
def put(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/add`: an item by hand."""
    queue = one(uid)
    form = ItemForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            item = work.enqueue(queue, **form.cleaned_data)
        except (InvalidInput, LimitReached) as error:
            form.add_error("payload" if isinstance(error, InvalidInput) else None, error.message)
        else:
            return pages.done(request, f"The item {item.uid} is in the queue {queue.slug}.", to=_page(uid))
    return pages.draw(request, "automation/item_form.html", {"form": form, "queue": queue})


@pages.deed(MANAGE)
def pause(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/pause`"""
    queue = one(uid)
    if queues.pause(queue):
        return pages.done(request, f"The queue {queue.slug} is paused. Items may still come; none is taken.")
    return pages.nothing(request, f"The queue {queue.slug} was paused already.")


@pages.deed(MANAGE)
def resume(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/resume`"""
    queue = one(uid)
    if queues.resume(queue):
        return pages.done(request, f"The queue {queue.slug} is worked off again.")
    return pages.nothing(request, f"The queue {queue.slug} was not paused.")


@pages.form(MANAGE)
def clear(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/clear-errors`: asks with the count, then does it."""
    queue = one(uid)
    if request.method == "POST":
        return pages.done(request, f"{_told(work.clear_errors(queue))} archived.", to=_page(uid))
    detail = "They are kept as archived items until their retention ends, and can be put back one by one. Dead letters are not touched."
    return _ask(request, queue, "Archive", detail)


@pages.form(MANAGE)
def requeue(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/requeue`: asks with the count, then does it."""
    queue = one(uid)
    if request.method == "POST":
        return pages.done(request, f"{_told(work.requeue_failed(queue))} back in line.", to=_page(uid))
    return _ask(request, queue, "Put back", "Each has all its attempts again and goes to the end of the line.")


@pages.deed(
    MANAGE,
    question="Delete the queue {uid}?",
    detail="What waits in it is cancelled. The rest stays until its retention ends.",
    yes="Delete",
)
def delete(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/delete`"""
    queue = one(uid)
    count = queues.delete(queue)
    told = f"The queue {queue.slug} is deleted; {count:,} waiting item{' was' if count == 1 else 's were'} cancelled."
    return pages.done(request, told, to=reverse("automation:queues"))


def one(uid: str) -> Queue:
    """The living queue. Raises NotFound."""
    found: Queue = pages.one(Queue.living.all(), uid, what="queue")
    return found


def _ask(request: HttpRequest, queue: Queue, verb: str, detail: str) -> HttpResponse:
    count = work.figures(queue).failed
    asked: dict[str, Any] = {
        "question": f"{verb} {count:,} failed item{'' if count == 1 else 's'} of {queue.slug}?",
        "detail": detail,
        "yes": f"{verb} {count:,}",
        "back": pages.came_from(request),
    }
    return render(request, "confirm.html", asked)


def _told(count: int) -> str:
    return f"{count:,} failed item{' is' if count == 1 else 's are'}"


def _standing(queue: Any) -> Figures:
    """Of one row of an export, asked for once."""
    if not hasattr(queue, "standing"):
        queue.standing = work.figures(queue)
    found: Figures = queue.standing
    return found


def _may(request: HttpRequest, scope: str) -> bool:
    return permissions.may(request.user, scope)


def _page(uid: str) -> str:
    return reverse("automation:queue", args=[uid])
