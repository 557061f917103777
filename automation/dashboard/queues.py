"""The pages of queues: the list, one queue with its items, adding and changing one, and what is done to one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
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
    "id": lambda line: line.queue.uid,
    "slug": lambda line: line.queue.slug,
    "name": lambda line: line.queue.name,
    "processor": lambda line: line.queue.processor,
    "is_paused": lambda line: line.queue.is_paused,
    "depth": lambda line: line.figures.depth,
    "processing": lambda line: line.figures.processing,
    "failed": lambda line: line.figures.failed,
    "oldest_age_seconds": lambda line: line.figures.oldest_age_seconds,
    "throughput_per_minute": lambda line: line.figures.throughput_per_minute,
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


def lines(queues: Iterable[Queue]) -> list[Line]:
    """The queues with how they stand, in two statements whatever their number."""
    rows = list(queues)
    found, known = work.figures_of(rows), processors.all()
    return [Line(row, found[row.pk], known[row.processor].title if row.processor in known else "") for row in rows]


@pages.page(SEE)
def listing(request: HttpRequest) -> HttpResponseBase:
    """`/queues`"""
    rows = _filtered(request)
    file = pages.export(request, lines(rows[: pages.EXPORT_LIMIT]), EXPORTED, name="queues") if request.GET.get("export") else None
    if file is not None:
        return file
    page = pages.listed(request, rows)
    shown = {"page": page, "lines": lines(page.rows), "is_filtered": pages.is_filtered(request, "q"), "may_manage": _may(request, MANAGE)}
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
        "is_filtered": pages.is_filtered(request, "status", "q", "since"),
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


def _asks(verb: str) -> Callable[[str], str]:
    """The question of a deed that is done to all failed items, with their number."""

    def words(uid: str) -> str:
        queue = one(uid)
        count = work.figures(queue).failed
        return f"{verb} {count:,} failed item{'' if count == 1 else 's'} of {queue.slug}?"

    return words


@pages.deed(
    MANAGE,
    question=_asks("Archive"),
    detail="They are kept as archived items until their retention ends, and can be put back one by one. Dead letters are not touched.",
    yes="Archive",
)
def clear(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/clear-errors`"""
    return _told(request, uid, work.clear_errors(one(uid)), "archived")


@pages.deed(MANAGE, question=_asks("Put back"), detail="Each has all its attempts again and goes to the end of the line.", yes="Put back")
def requeue(request: HttpRequest, uid: str) -> HttpResponse:
    """`/queues/<uid>/requeue`"""
    return _told(request, uid, work.requeue_failed(one(uid)), "back in line")


@pages.deed(
    MANAGE,
    question=lambda uid: f"Delete the queue {one(uid).slug}?",
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


def _told(request: HttpRequest, uid: str, count: int, become: str) -> HttpResponse:
    if not count:
        return pages.nothing(request, "No item has failed here; there was nothing to do.", to=_page(uid))
    return pages.done(request, f"{count:,} failed item{' is' if count == 1 else 's are'} {become}.", to=_page(uid))


def _may(request: HttpRequest, scope: str) -> bool:
    return permissions.may(request.user, scope)


def _page(uid: str) -> str:
    return reverse("automation:queue", args=[uid])
