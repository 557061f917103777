"""`manage.py screenshots`: a picture of each page, wide and narrow, and a sheet of all. The pages are those of the registry."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import Resolver404, resolve

from config.kernel.plugins.contracts import pages

ALSO = ("/admin/",)
# Files for programs, and forms of the administration that look like those shown.
LEFT_OUT = ("schema", "health", "metrics")
ALIKE = ("_add", "_history", "_delete", ":logout", ":jsi18n", ":view_on_site")


class Command(BaseCommand):
    """The kernel knows no page by name; it starts with the navigation and follows one link of each kind."""

    help = (
        "Take a picture of each page at 1440 and at 390 pixels into DATA_DIR/screenshots, with index.html as a contact sheet. Looks at the "
        "installation of --url with the password in ADMIN_PASSWORD; without --url at one that is made for it and filled with examples."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="", metavar="URL", help="a running installation; without it one is made and ended again")
        parser.add_argument("--path", action="append", default=[], metavar="PATH", help="only this page; may be given several times")
        parser.add_argument("--dir", default="", metavar="FOLDER", help="where the pictures go; the default is DATA_DIR/screenshots")
        parser.add_argument("--scheme", choices=("light", "dark"), default="light", help="colours")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print what was taken as JSON")

    def handle(self, *, url: str, path: list[str], dir: str, scheme: str, as_json: bool, **_: Any) -> None:
        from tests.support import browser, gallery

        # An end from outside is an end in order: what was started is ended.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        folder = Path(dir or Path(settings.DATA_DIR) / "screenshots")
        folder.mkdir(parents=True, exist_ok=True)
        first = path or [*(page.url for page in sorted(pages.all().values(), key=lambda page: page.order)), *ALSO]
        taken = []
        try:
            with browser.running() as chromium, _house(url) as (address, password):
                told: dict[str, Any] = {
                    "password": password,
                    "first": first,
                    "name_of": _name,
                    "to": folder,
                    "scheme": scheme,
                    "follow": not path,
                }
                for picture in gallery.pictures(chromium, address, **told):
                    taken.append(picture)
                    self._tell(picture, quiet=as_json)
        except browser.Missing as reason:
            raise CommandError(str(reason)) from None
        (folder / "index.html").write_text(gallery.sheet(taken, url=url or "a new installation"))
        if as_json:
            self.stdout.write(orjson.dumps({"sheet": str(folder / "index.html"), "pages": [_plain(one) for one in taken]}).decode())
        else:
            self.stdout.write(f"{len(taken)} pages; look at {folder / 'index.html'}")

    def _tell(self, picture: Any, *, quiet: bool) -> None:
        if quiet:
            return
        self.stdout.write(f"{picture.name:44} {picture.path}")
        for sentence in picture.complaints:
            self.stdout.write(f"  {sentence}")


@contextmanager
def _house(url: str) -> Iterator[tuple[str, str]]:
    """The address to look at and the administrator's password."""
    if url:
        if not (password := os.environ.get("ADMIN_PASSWORD", "")):
            raise CommandError("Put the password of the user admin into ADMIN_PASSWORD, so that the pages behind the login can be seen.")
        yield url.rstrip("/"), password
        return
    from tests.support import demo, stack

    with (
        tempfile.TemporaryDirectory(prefix="steward-screenshots-") as folder,
        stack.installation(Path(folder), STEWARD_APPS="tests.support.acting") as house,
        demo.filled(house),
    ):
        yield house.url, house.environ["ADMIN_PASSWORD"]


def _name(path: str) -> str:
    """The kind of a page, as a file name; nothing for what is none."""
    try:
        name = resolve(path.partition("?")[0]).view_name
    except Resolver404:
        return ""
    return "" if name in LEFT_OUT or name.endswith(ALIKE) else name.replace(":", "-")


def _plain(picture: Any) -> dict[str, Any]:
    return {**asdict(picture), "files": {str(width): name for width, name in picture.files.items()}}
