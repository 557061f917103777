"""The receiver of a benchmark, a process of its own: `python -m benchmarks.receiver`. Driven by lines on its standard input.

It prints its port; `report` answers with what came since the last report, by `webhook-id`; the end of the input ends it.
Bare sockets instead of a framework: what it uses of the machine is missing to what is measured.
"""

import asyncio
import re
import sys
import time

import orjson

HANG_SECONDS = 30
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ID = re.compile(rb"\r\nwebhook-id: *([^\r]+)", re.IGNORECASE)


class Noted:
    """When each message came first, by path and id, and how often one came again."""

    def __init__(self) -> None:
        self.first: dict[str, dict[str, float]] = {}
        self.repeats = 0

    def note(self, path: str, message_id: str) -> None:
        mine = self.first.setdefault(path, {})
        if message_id in mine:
            self.repeats += 1
        else:
            mine[message_id] = time.monotonic()


class Connection(asyncio.Protocol):
    """Reads one request after the other; those to `/hang…` are answered after HANG_SECONDS."""

    def __init__(self, noted: Noted) -> None:
        self.noted = noted
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[: end + 2]
            length = LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < whole:
                return
            self.buffer = self.buffer[whole:]
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        found = ID.search(head)
        self.noted.note(path, found[1].decode() if found else "")
        if path.startswith("/hang"):
            asyncio.get_running_loop().call_later(HANG_SECONDS, self._reply)
        else:
            self._reply()

    def _reply(self) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(OK)


async def main() -> None:
    """Listen on a free port of loopback until the input ends."""
    loop, noted = asyncio.get_running_loop(), Noted()
    server = await loop.create_server(lambda: Connection(noted), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while await commands.readline():
        answer = orjson.dumps({"first": noted.first, "repeats": noted.repeats})
        noted.first, noted.repeats = {}, 0
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
