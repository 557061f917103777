"""What the commands of all apps stand on: sub-commands as functions, `--json`, errors as sentences, a bar for long work in a terminal."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from django.utils.dateparse import parse_datetime

from config.kernel.flow import clock, context
from config.kernel.flow.errors import InvalidInput, StewardError
from config.kernel.language import json_text

T = TypeVar("T")
BAR = 30

Do = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Deed:
    """One sub-command: what it does, its words (name → options of argparse), and the function that answers rows or one row."""

    about: str
    do: Do
    words: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class DeedCommand(BaseCommand):
    """`manage.py <name> <deed> …`; a subclass lists its `deeds`. Exit status 1 when a deed is refused."""

    deeds: Mapping[str, Deed] = {}

    def add_arguments(self, parser: CommandParser) -> None:
        found = parser.add_subparsers(dest="deed", required=True, metavar="DEED", help="What to do; `DEED --help` says more.")
        for name, deed in self.deeds.items():
            sub = found.add_parser(name, help=deed.about, description=deed.about)
            for word, options in deed.words.items():
                sub.add_argument(word, **options)
            sub.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            with context.using(actor="command line"):
                answer = self.deeds[given["deed"]].do(given)
        except StewardError as error:
            raise CommandError(error.message) from None
        except (OperationalError, ProgrammingError) as error:
            said = str(error).strip().partition("\n")[0]
            raise CommandError(f"The database cannot be used: {said}. `manage.py doctor` says what is missing.") from None
        self.stdout.write(json_text.write(answer).decode() if given["as_json"] else as_text(answer))


def as_text(answer: Any) -> str:
    """A list of rows as a table, one row as lines, a number or a sentence as it is."""
    if isinstance(answer, list):
        return _table(answer) if answer else "None."
    if isinstance(answer, dict):
        width = max((len(name) for name in answer), default=0)
        return "\n".join(f"{name.ljust(width)}  {_cell(value)}" for name, value in answer.items())
    return _cell(answer)


def moment(text: str) -> datetime:
    """An argument that is a time: ISO 8601, UTC when it names no zone."""
    try:
        found = parse_datetime(text)
        if found is not None:
            return clock.in_utc(found)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 2026-01-31T12:00:00Z")


def number(least: float, most: float, *, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """A kind of argument: a number from `least` to `most`, a whole one unless `kind` is float."""

    def read_number(text: str) -> float:
        try:
            found = kind(text) if len(text) < 20 else kind(most) + 1
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number") from None
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"it must be from {least} to {most}")
        return found

    return read_number


def json_object(text: str) -> dict[str, Any]:
    """An argument that is a JSON object."""
    try:
        found = json_text.read(text.encode(errors="surrogateescape"), what="it")
    except InvalidInput as error:
        raise argparse.ArgumentTypeError(error.message.rstrip(".")) from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError("it must be a JSON object, names and values in curly brackets")
    return found


def progress(rows: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """The rows, with a bar on the error stream while a person watches."""
    for done, row in enumerate(rows, 1):
        yield row
        show_progress(done, total, what=what)


def show_progress(done: int, total: int, *, what: str) -> None:
    """Draw the bar; nothing in a pipe."""
    if sys.stderr.isatty():
        filled = BAR * done // max(1, total)
        sys.stderr.write(f"\r{what} [{'#' * filled}{'.' * (BAR - filled)}] {done}/{total}" + ("\n" if done >= total else ""))
        sys.stderr.flush()


def _table(rows: list[Any]) -> str:
    if not isinstance(rows[0], dict):
        return "\n".join(_cell(row) for row in rows)
    names = list(rows[0])
    cells = [list(names), *[[_cell(row.get(name)) for name in names] for row in rows]]
    widths = [min(60, max(len(row[column]) for row in cells)) for column in range(len(names))]
    return "\n".join("  ".join(cell[:60].ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return clock.text(value) if isinstance(value, datetime) else json_text.write(value).decode()
