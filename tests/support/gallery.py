"""Pictures of every page, each at two widths, and the sheet that shows them side by side. Called by `manage.py screenshots`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LINKS = """() => [...document.querySelectorAll("a[href]:not([download]), tr[data-href]")]
  .map((e) => new URL(e.getAttribute("href") || e.dataset.href, location.href))
  .filter((u) => u.origin === location.origin && !u.search.includes("export=")).map((u) => u.pathname)"""
# A page is drawn when its fonts are and nothing moves; longer pictures tell nothing more.
MOST_HIGH = 5000


@dataclass(frozen=True)
class Picture:
    """One page at both widths. `complaints`: what the browser complained of and what did not fit."""

    name: str
    path: str
    files: dict[int, str]
    complaints: list[str] = field(default_factory=list)


def pictures(
    chromium: "Browser",
    url: str,
    *,
    password: str,
    first: Sequence[str],
    name_of: Callable[[str], str],
    to: Path,
    scheme: str,
    follow: bool,
) -> Iterator[Picture]:
    """Take the pages `first` and, with `follow`, one page of each kind that they lead to.

    `name_of`: the kind of a path, "" for what is no page.
    """
    watch = browser.Watch(url)
    pages = {width: browser.look(chromium, width=width, scheme=scheme).new_page() for width in browser.HEIGHTS}
    for page in pages.values():
        page.goto(f"{url}/login")
    yield _take(pages, watch, "login", "/login", to)
    for page in pages.values():
        browser.log_in(page, url, password=password)
        watch.over(page)
    seen, waiting = {"login"}, list(first)
    while waiting:
        path = waiting.pop(0)
        name = name_of(path)
        if not name or name in seen:
            continue
        seen.add(name)
        for page in pages.values():
            page.goto(f"{url}{path}")
            # Some pages are drawn by scripts after everything has come.
            page.locator("h1, h2").first.wait_for()
        yield _take(pages, watch, name, path, to)
        waiting += _links(pages[browser.WIDE]) if follow else []


def _links(page: "Page") -> list[str]:
    found: list[str] = page.evaluate(LINKS)
    return found


def _take(pages: "dict[int, Page]", watch: browser.Watch, name: str, path: str, to: Path) -> Picture:
    files, complaints = {}, []
    for width, page in pages.items():
        files[width] = f"{name}-{width}.png"
        high = min(page.evaluate("document.documentElement.scrollHeight"), MOST_HIGH)
        page.screenshot(path=to / files[width], full_page=True, clip={"x": 0, "y": 0, "width": width, "height": high})
        complaints += browser.too_wide(page)
    complaints += watch.complaints
    watch.complaints.clear()
    return Picture(name, path, files, complaints)


def sheet(taken: Sequence[Picture], *, url: str) -> str:
    """The contact sheet as a page of HTML beside the pictures."""
    rows = "".join(
        f"<section><h2>{escape(one.name)} <small>{escape(urlsplit(one.path).path)}</small></h2>"
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in one.complaints)
        + "".join(
            f'<a href="{escape(name)}"><img src="{escape(name)}" alt="{width} pixels wide" width="{width // 2}"></a>'
            for width, name in one.files.items()
        )
        + "</section>"
        for one in taken
    )
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Every page of {escape(url)}</title>
<style>body {{ font: 14px system-ui; margin: 24px; background: #eee }}
img {{ border: 1px solid #bbb; margin-right: 16px; vertical-align: top }}
section {{ margin-bottom: 48px }} small {{ color: #666 }} p {{ color: #a00 }}</style>{rows}</html>
"""
