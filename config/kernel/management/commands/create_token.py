"""`manage.py create_token USERNAME`: an API token, shown once."""

from datetime import timedelta
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.kernel.desk import tokens
from config.kernel.flow import clock
from config.kernel.flow.errors import StewardError

SHOWN = 10


class Command(BaseCommand):
    """Prints the token; with --json as `{"token": "…", "id": "tok_…"}`."""

    help = "Make an API token for a user and print it; it cannot be shown again. Without --scope it may do all that the user may."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose rights the token has; `admin` in the one-process set-up.")
        parser.add_argument("--name", default="command line", help="What the list of tokens shows.")
        parser.add_argument(
            "--scope", action="append", dest="scopes", metavar="SCOPE", help="A permission such as webhooks:view; may be repeated."
        )
        parser.add_argument("--expires-days", type=float, metavar="N", help="The token ends after N days; without it never.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *args: Any, **given: Any) -> None:
        user = _user(given["username"])
        try:
            token, plain = tokens.create(user, name=given["name"], scopes=given["scopes"], expires_at=_expiry(given["expires_days"]))
        except StewardError as error:
            raise CommandError(error.message) from None
        self.stdout.write(orjson.dumps({"token": plain, "id": token.uid}).decode() if given["as_json"] else plain)


def _user(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        names = list(User.objects.order_by("username").values_list("username", flat=True)[: SHOWN + 1])
        known = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        raise CommandError(f"There is no user {username!r}. There are: {known or 'none yet; make one with `manage.py createsuperuser`'}.")
    return found


def _expiry(days: float | None) -> Any:
    if days is None:
        return None
    try:
        return clock.now() + timedelta(days=days)
    except (OverflowError, ValueError):
        raise CommandError(f"--expires-days cannot be {days}. Give a number of days up to some thousands.") from None
