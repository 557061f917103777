"""A receiver in Python without packages: checks `X-Hub-Signature-256` and looks at `payload["event"]`.

WEBHOOK_SECRET=whsec_… python3 s0_handler.py 9001
"""

import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ.get("WEBHOOK_SECRET", "")


def verify_signature(payload: bytes, signature: str, secret: str) -> bool:
    """Whether `sha256=<hex>` fits the raw body. False, never an exception, for anything else."""
    expected = "sha256=" + hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(expected.encode(), signature.encode())


def transcription_completed(data: dict) -> None:
    """What you do with a finished transcription."""
    print("transcription of", data["video_id"], "is there", flush=True)


def video_failed(data: dict) -> None:
    """What you do with a failed video."""
    print("video", data["videoId"], "failed:", data["error"]["message"], flush=True)


HANDLERS = {"transcription.completed": transcription_completed, "video.failed": video_failed}


class Handler(BaseHTTPRequestHandler):
    """Answers `{"status": "received"}`, or 401 when the signature does not fit."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not verify_signature(body, self.headers.get("X-Hub-Signature-256", ""), SECRET):
            self._answer(401, {"error": "Unauthorized"})
            return
        payload = json.loads(body)
        if payload["event"] in HANDLERS:
            HANDLERS[payload["event"]](payload["data"])
        else:
            print("event", payload["event"], flush=True)
        self._answer(200, {"status": "received"})

    def _answer(self, status: int, value: dict) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *values: object) -> None:
        """The lines above are enough."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9001
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
