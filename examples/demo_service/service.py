"""A small HTTP service to be looked after: it can be asked, watched, broken and killed. Standard library only.

GET  /         who answers: {"pid", "number", "requests"}
GET  /health   200, or 500 once it is broken
POST /break    from now on /health answers 500, until it is restarted

python3 service.py --port 8870 --number 0      listens on 127.0.0.1:8870 + number, and logs to the standard output
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Demo(ThreadingHTTPServer):
    """Counts its requests and remembers that it is broken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, number: int) -> None:
        super().__init__(("127.0.0.1", port + number), Answer)
        self.number, self.requests, self.is_broken = number, 0, False


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Demo

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.path == "/":
            self.say(200, {"pid": os.getpid(), "number": self.server.number, "requests": self.server.requests})
        elif self.path == "/health":
            self.say(*((500, {"status": "broken"}) if self.server.is_broken else (200, {"status": "ok"})))
        else:
            self.say(404, {"error": "there are /, /health and POST /break"})

    def do_POST(self) -> None:
        if self.path == "/break":
            self.server.is_broken = True
            self.say(200, {"status": "broken from now on"})
        else:
            self.say(404, {"error": "there is POST /break"})

    def say(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *words: object) -> None:
        log(format % words)


def log(text: str) -> None:
    """One line with the time and the process."""
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} pid={os.getpid()} {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8870)
    parser.add_argument("--number", type=int, default=0)
    given = parser.parse_args()
    server = Demo(given.port, given.number)
    # shutdown() waits for the loop, which runs in this very thread.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    log(f"started on http://127.0.0.1:{given.port + given.number}")
    server.serve_forever(poll_interval=0.1)
    log("ended")
    sys.exit(0)


if __name__ == "__main__":
    main()
