"""`manage.py work DUTY`: do what a duty has to do, here and now, without a worker."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.flow import clock, jobs
from config.kernel.language import json_text
from config.kernel.plugins.contracts import duties


class Command(BaseCommand):
    """For maintenance, and to see a duty fail in front of you."""

    help = "Do what a duty (deliver, route, replay, retention …) has to do now, in this process; without one, list them with what is due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("duty", nargs="?", default="", help="The duty's key; all are listed without one.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        if not given["duty"]:
            found = {key: duty.due_count(clock.now()) for key, duty in duties.all().items()}
            self.stdout.write(
                json_text.write(found).decode() if given["as_json"] else "\n".join(f"{key}: {due} due" for key, due in found.items())
            )
            return
        try:
            duties.get(given["duty"])
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None
        done = jobs.work(given["duty"])
        self.stdout.write(
            json_text.write({"duty": given["duty"], "done": done}).decode() if given["as_json"] else f"{given['duty']}: {done} done."
        )
