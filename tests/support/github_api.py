"""A stand-in for the part of GitHub's REST API that deals with a hook's deliveries, on loopback. It answers in the shape of
GitHub's published OpenAPI description (`hook-delivery-item`) and refuses routes, methods and parameters it does not know."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from tests.support import receivers
from tests.support.receivers import Received, Receiver

TOKEN = "ghp_stand_in"


@dataclass
class GitHub:
    """What the stand-in knows: deliveries by hook path, newest first; and the delivery ids it was asked to send again."""

    deliveries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    pages_read: int = 0
    status: int = 200
    page_size: int = 100
    url: str = ""

    def add(self, hook: str, guid: str, at: datetime, *, event: str = "push", status_code: int = 502, redelivery: bool = False) -> int:
        """One delivery that GitHub made; its id."""
        rows = self.deliveries.setdefault(hook, [])
        number = 12_345_678 + sum(len(found) for found in self.deliveries.values())
        rows.insert(
            0,
            {
                "id": number,
                "guid": guid,
                "delivered_at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "redelivery": redelivery,
                "duration": 0.27,
                "status": "OK" if status_code < 300 else "Invalid HTTP Response: 502",
                "status_code": status_code,
                "event": event,
                "action": None,
                "installation_id": None,
                "repository_id": 456,
                "throttled_at": None,
            },
        )
        return number

    def __call__(self, receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        status, json, headers = self._answer(request)
        return receivers.answering(status, orjson.dumps(json), headers)(receiver, connection, request)

    def _answer(self, request: Received) -> tuple[int, Any, dict[str, str]]:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        if self.status != 200:
            return self.status, {"message": "Server Error"}, {}
        parts = urlsplit(request.path)
        hook, _, rest = parts.path.strip("/").partition("/deliveries")
        if hook not in self.deliveries:
            return 404, {"message": "Not Found"}, {}
        if request.method == "GET" and not rest:
            return self._page(hook, dict(parse_qsl(parts.query)))
        return self._attempt(hook, rest, request.method)

    def _page(self, hook: str, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        size = query.pop("per_page", "30")
        start = query.pop("cursor", "v1_0")
        if query or not size.isdigit() or not 1 <= int(size) <= 100 or not start.startswith("v1_"):
            return 422, {"message": "Validation Failed"}, {}
        self.pages_read += 1
        rows, first = self.deliveries[hook], int(start.removeprefix("v1_"))
        last = first + min(int(size), self.page_size)
        link = f'<{self.url}/{hook}/deliveries?per_page={size}&cursor=v1_{last}>; rel="next"'
        return 200, rows[first:last], {"Link": link} if last < len(rows) else {}

    def _attempt(self, hook: str, rest: str, method: str) -> tuple[int, Any, dict[str, str]]:
        number, _, last = rest.strip("/").partition("/")
        known = {str(row["id"]) for row in self.deliveries[hook]} - {str(gone) for gone in self.gone}
        if method != "POST" or last != "attempts" or number not in known:
            return 404, {"message": "Not Found"}, {}
        self.asked.append(int(number))
        return 202, {}, {}


@contextmanager
def running() -> Iterator[GitHub]:
    """The stand-in within the block; put its `url` into GITHUB_API_URL and TOKEN into GITHUB_TOKEN."""
    github = GitHub()
    with receivers.serve(github) as found:
        github.url = f"http://127.0.0.1:{found.port}"
        yield github
