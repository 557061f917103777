"""What every page of the dashboard has in common: who may see it, fragments, lists, filters, exports, deeds.

Called by the dashboard rooms of the apps and by the roof.
"""

import csv
import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from config.doors import problems
from config.doors.filters import moment
from config.kernel.desk import permissions
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, NotFound, StewardError

View = Callable[..., HttpResponseBase]

SIZES = (25, 50, 100, 200)
COUNT_LIMIT = 10_000
EXPORT_LIMIT = 10_000
WINDOWS: dict[str, tuple[timedelta, str]] = {
    "15m": (timedelta(minutes=15), "last 15 minutes"),
    "1h": (timedelta(hours=1), "last hour"),
    "24h": (timedelta(hours=24), "last 24 hours"),
    "7d": (timedelta(days=7), "last 7 days"),
    "30d": (timedelta(days=30), "last 30 days"),
}


@dataclass(frozen=True)
class Listed:
    """One page of a list. `total` stops at COUNT_LIMIT, so that counting a large table stays cheap."""

    rows: Sequence[Any]
    number: int
    size: int
    total: int
    is_counted: bool

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1."""
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return self.first + len(self.rows) - 1

    @property
    def before(self) -> int | None:
        """The page of newer rows; None stands for the first, whose address needs no number."""
        return self.number - 1 if self.number > 2 else None

    @property
    def after(self) -> int:
        """The page of older rows."""
        return self.number + 1

    @property
    def has_older(self) -> bool:
        """Whether a next page has rows."""
        return not self.is_counted or self.last < self.total


def page(scope: str = "") -> Callable[[View], View]:
    """A view that reads: GET, logged in, holding `scope`. A StewardError becomes a page that says what to do."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD"):
                return HttpResponseNotAllowed(["GET"])
            return _answer(request, scope, lambda: view(request, *args, **kwargs))

        return guarded

    return decorate


def form(scope: str) -> Callable[[View], View]:
    """A view that shows a form on GET and takes it on POST; otherwise as `page`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method not in ("GET", "HEAD", "POST"):
                return HttpResponseNotAllowed(["GET", "POST"])
            return _answer(request, scope, lambda: view(request, *args, **kwargs))

        return guarded

    return decorate


def deed(scope: str, *, question: str | Callable[..., str] = "", yes: str = "", detail: str = "") -> Callable[[View], View]:
    """A view that does something on POST and then leads somewhere else.

    A StewardError becomes a message on the page the caller came from. With a `question` (which may name URL arguments, as in
    "Delete {uid}?", or be made of them by a function) GET shows a page that asks; without one GET is refused.
    """

    def asks(request: HttpRequest, **values: Any) -> HttpResponse:
        words = question.format(**values) if isinstance(question, str) else question(**values)
        return render(request, "confirm.html", {"question": words, "yes": yes, "detail": detail, "back": came_from(request)})

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "GET" and question:
                return _answer(request, scope, lambda: asks(request, **kwargs))
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            return _answer(request, scope, lambda: _done(request, lambda: view(request, *args, **kwargs)))

        return guarded

    return decorate


def _answer(request: HttpRequest, scope: str, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return _to_login(request)
    try:
        if scope:
            permissions.ensure(request.user, scope)
        if any("\0" in text for texts in request.POST.lists() for text in texts[1]):
            raise InvalidInput("What was typed holds a NUL character, which cannot be stored. Leave it out.")
        return view()
    except StewardError as error:
        return problems.response(request, error.status, error.message, code=error.code)


def _done(request: HttpRequest, view: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    try:
        return view()
    except NotFound:
        raise
    except StewardError as error:
        if error.status >= 500:
            raise
        messages.error(request, error.message)
        return HttpResponseRedirect(came_from(request))


def _to_login(request: HttpRequest) -> HttpResponseBase:
    if request.headers.get("HX-Request"):
        # A fragment must not be replaced by the login page: the whole page goes there.
        return HttpResponseClientRedirect(settings.LOGIN_URL)
    return redirect_to_login(request.get_full_path())


def done(request: HttpRequest, message: str, *, to: str = "") -> HttpResponse:
    """Say what was done and lead to `to`, or back to where the person came from."""
    messages.success(request, message)
    return HttpResponseRedirect(to or came_from(request))


def nothing(request: HttpRequest, message: str, *, to: str = "") -> HttpResponse:
    """Say why there was nothing to do, in a voice that nobody takes for a success, and lead on as `done` does."""
    messages.info(request, message)
    return HttpResponseRedirect(to or came_from(request))


def came_from(request: HttpRequest) -> str:
    """The page of ours the person came from: `next`, else the referrer, else the home page. Never the address asked for."""
    for found in (request.POST.get("next", ""), request.GET.get("next", ""), request.headers.get("Referer", "")):
        same_host = url_has_allowed_host_and_scheme(found, allowed_hosts={request.get_host()}, require_https=request.is_secure())
        if found and same_host and not found.endswith(request.path):
            return found
    return "/"


def draw(request: HttpRequest, template: str, shown: Mapping[str, Any]) -> HttpResponse:
    """The whole page, or for HTMX its fragment: `webhooks/deliveries.html` → `webhooks/_deliveries.html`."""
    if request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request"):
        folder, _, name = template.rpartition("/")
        template = f"{folder}/_{name}" if folder else f"_{name}"
    response = render(request, template, dict(shown))
    patch_vary_headers(response, ["HX-Request"])
    return response


def listed(request: HttpRequest, rows: "QuerySet[Any]") -> Listed:
    """The page of `rows` that `?page=` and `?size=` ask for; nonsense gives the first page of fifty."""
    number, size = max(_whole(request.GET.get("page", ""), 1), 1), _whole(request.GET.get("size", ""), 50)
    size = size if size in SIZES else 50
    total = rows.order_by()[: COUNT_LIMIT + 1].count()
    found = list(rows[(number - 1) * size : number * size]) if number <= COUNT_LIMIT else []
    return Listed(found, number, size, min(total, COUNT_LIMIT), total <= COUNT_LIMIT)


def list_page(
    request: HttpRequest,
    template: str,
    rows: "QuerySet[Any]",
    columns: Mapping[str, Callable[[Any], Any]],
    shown: Mapping[str, Any],
    *,
    filters: Sequence[str],
) -> HttpResponseBase:
    """A list: the file that `?export=` asks for, named as the template, else the page, with `page` and `is_filtered` beside `shown`."""
    file = export(request, rows, columns, name=template.rpartition("/")[2].removesuffix(".html").replace("_", "-"))
    if file is not None:
        return file
    return draw(request, template, {"page": listed(request, rows), "is_filtered": is_filtered(request, *filters), **shown})


def is_filtered(request: HttpRequest, *names: str) -> bool:
    """Whether any of these filters is set."""
    return any(request.GET.get(name) for name in names)


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def since(request: HttpRequest, name: str = "since") -> datetime | None:
    """The moment that `?since=` names: a window such as `24h`, or ISO 8601. None when it names none.

    Raises InvalidInput for what is neither.
    """
    given = request.GET.get(name, "").strip()
    if not given:
        return None
    if given in WINDOWS:
        return clock.now() - WINDOWS[given][0]
    found = moment(given)
    if found is None:
        raise InvalidInput(f"`{given}` is no time. Use {', '.join(WINDOWS)} or a time such as 2026-01-31T12:00:00Z.")
    return found


def export(
    request: HttpRequest, rows: "QuerySet[Any] | Sequence[Any]", columns: Mapping[str, Callable[[Any], Any]], *, name: str
) -> HttpResponseBase | None:
    """The list as a file when `?export=csv` or `json` asks for it, else None. At most EXPORT_LIMIT rows, in their order."""
    kind = request.GET.get("export", "")
    if kind not in ("csv", "json"):
        return None
    first = rows[:EXPORT_LIMIT]
    each = first.iterator(chunk_size=500) if isinstance(first, QuerySet) else first
    found = ({title: value(row) for title, value in columns.items()} for row in each)
    lines = _csv(list(columns), found) if kind == "csv" else _json(found)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8" if kind == "csv" else "application/json")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _csv(titles: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    for cells in _with_first(titles, rows):
        line = io.StringIO()
        csv.writer(line).writerow([_cell(cell) for cell in cells])
        yield line.getvalue()


def _with_first(titles: Sequence[str], rows: Iterator[Mapping[str, Any]]) -> Iterator[Sequence[Any]]:
    yield titles
    for row in rows:
        yield list(row.values())


def _cell(value: Any) -> str:
    text = clock.text(value) if isinstance(value, datetime) else "" if value is None else str(value)
    # A spreadsheet would run a cell that begins like a formula.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, int | float) else text


def _json(rows: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    yield "["
    for index, row in enumerate(rows):
        shown = {title: clock.text(value) if isinstance(value, datetime) else value for title, value in row.items()}
        yield (",\n" if index else "\n") + orjson.dumps(shown, default=str).decode()
    yield "\n]\n"


def one(rows: "QuerySet[Any] | type[Model]", uid: str, *, what: str) -> Any:
    """The row with this uid. Raises NotFound with a sentence that names it."""
    found = (rows if isinstance(rows, QuerySet) else rows._default_manager).filter(uid=uid).first()
    if found is None:
        raise NotFound(f"There is no {what} {uid}. It may have been removed after its retention time.")
    return found
