"""Counts what the product says to PostgreSQL: `python -m benchmarks.counting TYPE PREFIX COUNT`, started by `statements`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.base")

import django
import orjson

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from benchmarks import payloads  # noqa: E402
from benchmarks.house import SECRET  # noqa: E402
from benchmarks.payloads import Wanted  # noqa: E402
from config.kernel.flow import events, routing  # noqa: E402
from webhooks.services import dispatch  # noqa: E402


class Said:
    """The statements of a block, transaction control included."""

    def __init__(self) -> None:
        self.statements: list[str] = []


@contextmanager
def listening() -> Iterator[Said]:
    """Collect what is said in the block."""
    said = Said()
    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        yield said
        said.statements = [str(one["sql"]) for one in connection.queries_log]
    finally:
        connection.force_debug_cursor = False


def main(type: str, prefix: str, count: int) -> dict[str, object]:
    """Warm what is remembered anyway, then count."""
    drafts = [events.Draft(type, payloads.data(f"{prefix}{number}"), uid=f"{prefix}{number}") for number in range(count)]
    events.publish("system.status", data={"test": True})
    routing.route(limit=100)
    steps: dict[str, Callable[[], object]] = {
        "publish": lambda: events.publish_many(drafts),
        "route": lambda: routing.route(limit=count),
        "deliver": dispatch.drain,
    }
    counted = {}
    for name, step in steps.items():
        with listening() as said:
            step()
        counted[name] = len(said.statements)
    with listening() as alone:
        events.publish("system.status", data={"test": True})
    inbound = _inbound(f"{prefix}inb-")
    return {
        "batch": counted,
        "single": len(alone.statements),
        "inbound": len(inbound),
        "inbound_statements": [text[:60] for text in inbound],
    }


def _inbound(prefix: str) -> list[str]:
    """What the second request of a source costs; the first fills what is remembered."""
    client = Client(headers={"host": "127.0.0.1"})
    for number in range(2):
        head, _, body = payloads.request(Wanted("github", "127.0.0.1", prefix, secret=SECRET), number).partition(b"\r\n\r\n")
        named = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
        headers = {name: value for name, _, value in named if name.startswith("X-")}
        with listening() as said:
            answer = client.generic("POST", "/api/v1/webhooks/github", body, content_type="application/json", headers=headers)
        assert answer.status_code == 202, answer.content
    return said.statements


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
