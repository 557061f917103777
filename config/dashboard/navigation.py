"""The frame around every page: navigation from the registry, health, unread messages, colours.

A context processor; everything is worked out only when a template asks, so pages without the frame pay nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest
from django.urls import reverse

from config.kernel.desk import permissions
from config.kernel.plugins.contracts import Page, pages
from config.kernel.watch import health, notifications

RECORDS, SYSTEM = "Records", "System"

pages.register("roof.overview", Page("Overview", "/", "", 10, "metrics:view"))
pages.register("roof.events", Page("Events", "/events", "", 20, "webhooks:view"))
pages.register("roof.notifications", Page("Notifications", "/notifications", RECORDS, 810, "alerts:view"))
pages.register("roof.audit", Page("Audit", "/audit", RECORDS, 820, "audit:view"))
pages.register("roof.docs", Page("API", "/docs", SYSTEM, 910))
ADMINISTRATION = Page("Administration", "/admin/", SYSTEM, 920)


@dataclass(frozen=True)
class Entry:
    """One line of the navigation."""

    title: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Group:
    """Lines under one heading."""

    title: str
    entries: list[Entry]


class Frame:
    """What `frame.html` asks for."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.user = getattr(request, "user", None)

    @cached_property
    def theme(self) -> str:
        """`light`, `dark`, or nothing for what the machine prefers."""
        chosen = self.request.COOKIES.get("theme", "")
        return chosen if chosen in ("light", "dark") else ""

    @cached_property
    def asked(self) -> str:
        """What the search box was asked; the filters of lists have a `q` of their own."""
        return self.request.GET.get("q", "")[:200] if self.request.path == reverse("dashboard:search") else ""

    @cached_property
    def navigation(self) -> list[Group]:
        """The registered pages that this user may see, grouped, in order."""
        seen = sorted((page for page in self._allowed()), key=lambda page: (page.order, page.title))
        groups: dict[str, list[Page]] = {}
        for page in seen:
            groups.setdefault(page.group, []).append(page)
        current = _current(self.request.path, seen)
        return [Group(title, [Entry(page.title, page.url, page.url == current) for page in found]) for title, found in groups.items()]

    def _allowed(self) -> Iterable[Page]:
        for page in pages.all().values():
            if not page.scope or permissions.may(self.user, page.scope):
                yield page
        if getattr(self.user, "is_staff", False):
            yield ADMINISTRATION

    @cached_property
    def health(self) -> "health.Report | None":
        """The state of the whole, for those who may see it."""
        return health.report() if permissions.may(self.user, "metrics:view") else None

    @cached_property
    def unread(self) -> int:
        """Dashboard notifications that nobody has read; counting stops at 100."""
        if not permissions.may(self.user, "alerts:view"):
            return 0
        return notifications.unread().order_by()[:100].count()


def _current(path: str, shown: Iterable[Page]) -> str:
    """The entry a page belongs to: the longest address that the path begins with."""
    found = [page.url for page in shown if path == page.url or (page.url != "/" and path.startswith(page.url.rstrip("/") + "/"))]
    return max(found, key=len, default="")


def frame(request: HttpRequest) -> dict[str, Frame]:
    """The context processor named in the settings."""
    return {"frame": Frame(request)}
