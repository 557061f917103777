"""`manage.py options list|get|set|reset`: the settings that a person may change while Steward runs."""

from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.desk import options
from config.kernel.flow import context
from config.kernel.flow.errors import StewardError


class Command(BaseCommand):
    """Every process follows a change within a second."""

    help = "Show or change live settings. The environment gives the default; a change here overrides it until it is reset."

    def add_arguments(self, parser: CommandParser) -> None:
        deeds = parser.add_subparsers(dest="deed", required=True, help="What to do.")
        explained = {"name": "The option, as `list` shows it.", "value": "The new value; lists by comma."}
        for deed, words in {"list": (), "get": ("name",), "set": ("name", "value"), "reset": ("name",)}.items():
            sub = deeds.add_parser(deed)
            for word in words:
                sub.add_argument(word, help=explained[word])
            sub.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            with context.using(actor="command line"):
                found = self._do(given)
        except StewardError as error:
            raise CommandError(error.message) from None
        if given["as_json"]:
            rows = [asdict(one) for one in found]
            self.stdout.write(orjson.dumps(rows if given["deed"] == "list" else rows[0]).decode())
        else:
            self.stdout.write("\n".join(map(_line, found)))

    def _do(self, given: dict[str, Any]) -> list[options.Shown]:
        if given["deed"] == "list":
            return options.all()
        if given["deed"] == "set":
            options.set(given["name"], given["value"])
        if given["deed"] == "reset":
            options.clear(given["name"])
        return [options.shown(given["name"])]


def _line(one: options.Shown) -> str:
    value = ", ".join(one.value) if isinstance(one.value, list) else one.value
    return f"{one.name} = {value} {one.unit}".rstrip() + f"  ({one.source})  {one.help}"
