"""`manage.py doctor`: whether this installation is fit, and what to do about each thing that is not."""

from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandParser

from config.kernel.management import examination

MARKS = {examination.GOOD: "ok  ", examination.DOUBTFUL: "WARN", examination.BAD: "FAIL"}


class Command(BaseCommand):
    """One page; exit status 1 when something failed."""

    help = "Examine this installation: versions, database, Redis, workers, backlog, secrets. Exit status 1 when something failed."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "topic", nargs="?", default="", choices=["", *examination.TOPICS], help="Look at this only; without it, at everything."
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        found = examination.examine(given["topic"])
        has_failed = any(one.status == examination.BAD for one in found)
        if given["as_json"]:
            self.stdout.write(orjson.dumps({"ok": not has_failed, "findings": [asdict(one) for one in found]}).decode())
        else:
            self.stdout.write("\n".join(_lines(found)))
        if has_failed:
            raise SystemExit(1)


def _lines(found: list[examination.Finding]) -> list[str]:
    width = max((len(one.name) for one in found), default=0)
    lines: list[str] = []
    for one in found:
        if not lines or one.topic not in lines:
            lines += ["", one.topic] if lines else [one.topic]
        lines.append(f"  {MARKS[one.status]}  {one.name.ljust(width)}  {one.detail}")
        if one.advice:
            lines.append(f"  {'':4}  {'':{width}}  {one.advice}")
    return lines
