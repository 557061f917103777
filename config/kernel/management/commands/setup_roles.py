"""`manage.py setup_roles`: the permission strings and the three groups, as they are shipped."""

from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandParser

from config.kernel.desk import permissions


class Command(BaseCommand):
    """Running it twice changes nothing."""

    help = "Make the groups automation_viewer, automation_operator and automation_admin, and give back what was taken from them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        added = permissions.set_up_roles(restore=True)
        if given["as_json"]:
            groups = {name: sorted(scopes) for name, scopes in permissions.GROUPS.items()}
            self.stdout.write(orjson.dumps({"added": added, "groups": groups}).decode())
            return
        for name, scopes in permissions.GROUPS.items():
            self.stdout.write(f"{name}: {', '.join(sorted(scopes))}")
        self.stdout.write(f"{added} permissions were missing and are back." if added else "Nothing was missing.")
