"""A real Chromium and a person who looks: what a page complains of, what does not fit.

Called by tests/browser and `manage.py screenshots`.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, LocatorAssertions, Page, Response

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox to have; the rest keeps the browser from talking to anybody but us.
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update --disable-sync --no-first-run"
)
WIDE, NARROW = 1440, 390
HEIGHTS = {WIDE: 900, NARROW: 844}
PATIENCE_MS = 15_000
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (e) =>
  console.error(`CSP: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`));"""
# What reaches beyond the right edge, or holds a word that does, when the page itself scrolls sideways.
TOO_WIDE = """() => {
  const edge = document.documentElement.clientWidth, page = document.documentElement.scrollWidth;
  if (page <= edge) return [];
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().left + Math.max(e.scrollWidth, e.clientWidth) > edge + 1).slice(0, 8)
    .map((e) => `${e.tagName.toLowerCase()}.${e.className} is too wide: ${e.textContent.trim().slice(0, 40)}`)
    .concat([`${location.pathname} is ${page} wide in a window of ${edge}`]);
}"""


class Missing(Exception):
    """There is no browser here; the message says how to get one."""


def executable() -> str | None:
    """The path of $CHROMIUM or of the first browser on the path; None means Playwright's own. Raises Missing."""
    given = os.environ.get("CHROMIUM", "")
    if given and not Path(given).exists():
        raise Missing(f"CHROMIUM names {given}, which is not there.")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running() -> Iterator["Browser"]:
    """A headless browser, ended with the block. Raises Missing."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise Missing("Playwright is not installed: install Chromium or set CHROMIUM, then `python3 manage.py test` adds it.") from None
    path = executable()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS.split())
        except Error as error:
            raise Missing(f"No browser could be started ({error.message.splitlines()[0]}). Install Chromium or set CHROMIUM.") from None
        try:
            yield browser
        finally:
            browser.close()


def look(browser: "Browser", *, width: int, scheme: str = "light", has_scripts: bool = True) -> "BrowserContext":
    """Windows of this width (CSS pixels) and colour scheme, `light` or `dark`, with a session of their own."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=has_scripts,
        is_mobile=width == NARROW,
        has_touch=width == NARROW,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    if has_scripts:
        context.add_init_script(TELL_VIOLATIONS)
    return context


def log_in(page: "Page", url: str, *, password: str, name: str = "admin") -> None:
    """Through the form, as a person does."""
    page.goto(f"{url}/login")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/")


@dataclass
class Watch:
    """Collects what a page complains of: errors on the console, refused scripts and styles, broken parts, requests to elsewhere."""

    url: str
    complaints: list[str] = field(default_factory=list)

    def over(self, page: "Page") -> None:
        """Begin to watch this page."""
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", self._answered)
        page.on("request", lambda request: self._asked(request.url))

    def _heard(self, message: "ConsoleMessage") -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.location.get('url', '')}: {message.text}")

    def _answered(self, response: "Response") -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.url}: {response.status}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.complaints.append(f"{url}: asked for, though it is not ours")


def too_wide(page: "Page") -> list[str]:
    """What makes the page scroll sideways; nothing when it does not."""
    found: list[str] = page.evaluate(TOO_WIDE)
    return found


def expect(found: "Locator") -> "LocatorAssertions":
    """Assertions that wait: a click comes back before the page that it leads to is there."""
    from playwright.sync_api import expect as waiting

    waiting.set_options(timeout=PATIENCE_MS)
    return waiting(found)


def wait_for_url(page: "Page", part: str) -> None:
    """Until the address holds it."""
    page.wait_for_url(lambda url: part in url, timeout=PATIENCE_MS)
