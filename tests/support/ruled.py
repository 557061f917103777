"""Rules in an installation of real processes: made, watched by their rows, and the causes that wake them. Used by journeys and chaos."""

import contextlib
import json
import multiprocessing
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.cookiejar import CookieJar
from typing import Any

from tests.support.stack import Stack, until

MAKE = """
import json
from automation.services import rules
for given in json.loads({text!r}):
    print(rules.create(owner=None, **{{"mode": "on", **given}}).uid)
"""
MAKE_USERS = """
from django.contrib.auth.models import User
for name in {names!r}:
    User.objects.create_superuser(name, "", {password!r})
"""
ENDED = ("completed", "failed", "timeout", "skipped", "cancelled")


def make(house: Stack, *rules: Mapping[str, Any]) -> list[str]:
    """Make them, on; their ids."""
    return run(house, MAKE.format(text=json.dumps(rules))).split()


def post(house: Stack, rule: Mapping[str, Any], *, path: str = "/api/autonomous/automation/rules") -> str:
    """As the requirements print it, by the route that they print; its id."""
    answer = house.call(path, dict(rule))
    assert answer.status == 201, answer.body
    return str(answer.json()["id"])


def run(house: Stack, code: str) -> str:
    """What a piece of Python prints there."""
    return house.manage("shell", "-v", "0", "-c", code).strip()


def verdicts(house: Stack, rule: str) -> list[tuple[str, str, str]]:
    """Result, reason and sentence of each verdict, oldest first."""
    statement = (
        "SELECT v.result, v.reason, v.text FROM automation_verdict v JOIN automation_rule r ON r.id = v.rule_id"
        " WHERE r.uid = %s ORDER BY v.id"
    )
    return [(str(result), str(reason), str(text)) for result, reason, text in house.rows(statement, rule)]


def executions(house: Stack, rule: str) -> list[dict[str, Any]]:
    """Every firing of the rule, oldest first."""
    names = ("uid", "key", "status", "source", "reason_text", "error_code", "error_message", "created_at")
    statement = (
        f"SELECT {', '.join('e.' + name for name in names)} FROM automation_execution e JOIN automation_rule r ON r.id = e.rule_id"
        " WHERE r.uid = %s AND e.key IS NOT NULL ORDER BY e.id"
    )
    return [dict(zip(names, row, strict=True)) for row in house.rows(statement, rule)]


def until_ended(house: Stack, rule: str, *, count: int = 1, seconds: float = 60) -> list[dict[str, Any]]:
    """Its firings, once there are so many and all have ended."""

    def look() -> list[dict[str, Any]]:
        found = executions(house, rule)
        return found if len(found) >= count and all(one["status"] in ENDED for one in found) else []

    found: list[dict[str, Any]] = until(look, seconds=seconds, what=f"{count} executions of {rule}")
    return found


def output(house: Stack, execution: Mapping[str, Any], *, number: int = 0) -> tuple[str, Any]:
    """Status and output of one of its calls."""
    rows = house.rows("SELECT status, output FROM acts_invocation WHERE caller = %s ORDER BY id", f"execution:{execution['uid']}")
    status, found = rows[number]
    return str(status), json.loads(found) if isinstance(found, str) else found


def slot(execution: Mapping[str, Any]) -> datetime:
    """The moment that a firing counts for, from its key."""
    found = re.search(r":(\d{4}-\d\d-\d\dT[\d:.]+)Z", str(execution["key"]))
    assert found is not None, execution
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)


def samples(house: Stack) -> list[tuple[datetime, dict[str, float]]]:
    """Every snapshot, oldest first."""
    rows = house.rows('SELECT at, "values" FROM kernel_snapshot ORDER BY at')
    return [(moment(at), json.loads(values) if isinstance(values, str) else values) for at, values in rows]


def moment(value: Any) -> datetime:
    """A time as either database gives it."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@contextlib.contextmanager
def busy(processes: int | None = None) -> Iterator[None]:
    """Loops that keep every processor busy within the block."""
    running = [
        multiprocessing.get_context("spawn").Process(target=_spin, daemon=True) for _ in range(processes or multiprocessing.cpu_count())
    ]
    for one in running:
        one.start()
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.join()


def _spin() -> None:
    while True:
        pass


def log_in(house: Stack, name: str, password: str) -> None:
    """As a browser does: the form, its token, the page behind it."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(f"{house.url}/login", timeout=20).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    sent = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], "username": name, "password": password, "next": "/"})
    answer = opener.open(f"{house.url}/login", sent.encode(), timeout=20)
    assert "/login" not in answer.url, answer.url


def make_users(house: Stack, names: Sequence[str], password: str) -> None:
    """People who may see everything."""
    run(house, MAKE_USERS.format(names=list(names), password=password))
