"""The sample receivers of `examples/`, started as they are, take what a real installation delivers; so do independent libraries."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
import standardwebhooks
import svix.webhooks

from steward_client import verify, verify_signature
from tests.support import receivers, servers, stack
from tests.support.stack import until

EXAMPLES = stack.ROOT / "examples"
# A text with bytes that a careless receiver would change: an accent, an emoji, nested keys.
DATA = {"videoId": "v1", "error": {"message": "né en été 🎬", "code": "no_sound"}, "more": {"b": [1, 2.50], "a": None}}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with stack.installation(tmp_path_factory.mktemp("house")) as found:
        yield found


@contextlib.contextmanager
def running(words, secret, output):
    """A sample receiver as a process of its own; yields where it listens."""
    port = servers.free_port()
    environ = {**os.environ, "WEBHOOK_SECRET": secret}
    with output.open("wb") as log, subprocess.Popen([*words, str(port)], env=environ, stdout=log, stderr=log) as process:
        try:
            until(lambda: process.poll() is None and answers(port), what=f"{words[-1]} listening")
            yield f"http://127.0.0.1:{port}/hook"
        finally:
            process.terminate()


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed: the receiver for Node was not tried")
    return found


def register(house, url, events, **fields):
    answer = house.call("/api/v1/webhooks/endpoints", {"url": url, "events": events, **fields})
    assert answer.status == 201, answer.body
    return answer.json()


def attempts_of(house, endpoint_id, event_id):
    """The attempts of the delivery once it has ended."""

    def ended():
        found = house.call(f"/api/v1/webhooks/deliveries?endpoint={endpoint_id}&event={event_id}").json()["results"]
        return found and found[0]["finished_at"] and house.call(f"/api/v1/webhooks/deliveries/{found[0]['id']}").json()

    return until(ended, what=f"the delivery of {event_id} to {endpoint_id}")["attempts"]


def publish(house, name):
    answer = house.call("/api/v1/events", {"type": "video.failed", "data": DATA, "id": name})
    assert answer.status == 202, answer.body


def test_both_sample_receivers_and_every_library_take_the_same_delivery(house, tmp_path):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    python, script = str(EXAMPLES / "receivers" / "s0_handler.py"), str(EXAMPLES / "receivers" / "s2_handler.mjs")
    with (
        running([sys.executable, python], secret, tmp_path / "s0.log") as s0,
        running([node(), script], secret, tmp_path / "s2.log") as s2,
        receivers.ok() as recorder,
    ):
        ids = [register(house, url, ["video.failed"], secret=secret)["id"] for url in (s0, s2, recorder.url)]
        publish(house, "sample-1")
        for endpoint_id in ids:
            [attempt] = attempts_of(house, endpoint_id, "sample-1")
            assert (attempt["status_code"], attempt["response_body"].replace(" ", "")) == (200, '{"status":"received"}')
        [received] = recorder.requests
    assert "video v1 failed: né en été 🎬" in (tmp_path / "s0.log").read_text()
    event_id, event_type, *_ = (tmp_path / "s2.log").read_text().split()
    assert (event_id, event_type) == ("sample-1", "video.failed")
    headers = dict(received.headers)
    assert standardwebhooks.Webhook(secret).verify(received.body, headers)["data"] == DATA
    svix.webhooks.Webhook(secret).verify(received.body, headers)  # raises when it does not hold, and returns nothing
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        svix.webhooks.Webhook(secret).verify(received.body + b" ", headers)
    assert verify(received.body, headers, secret).data == DATA
    assert verify_signature(received.body, headers["x-hub-signature-256"], secret)
    assert headers["x-hub-signature-256"] == headers["x-webhook-signature"]


@pytest.mark.parametrize("sample", ["s0_handler.py", "s2_handler.mjs"])
def test_a_sample_receiver_refuses_what_is_signed_otherwise(sample, tmp_path):
    program = sys.executable if sample.endswith(".py") else node()
    with running([program, str(EXAMPLES / "receivers" / sample)], "right secret", tmp_path / "log") as url:
        for signature in ("", "sha256=", "sha256=" + "0" * 64, "short"):
            headers = {"X-Hub-Signature-256": signature, "X-Webhook-Signature": signature}
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(url, b'{"event": "video.failed"}', headers), timeout=10)
            assert (refused.value.code, json.loads(refused.value.read())) == (401, {"error": "Unauthorized"})


def test_the_shell_example_registers_and_both_events_arrive(house):
    with receivers.ok() as receiver:
        environ = {**os.environ, "TOKEN": house.token, "STEWARD": house.url}
        words = [str(EXAMPLES / "register_webhook.sh"), receiver.url, "a-secret-of-at-least-16"]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        got = receiver.wait_for(2, seconds=30)
    assert {json.loads(one.body)["eventType"] for one in got} == {"video.completed", "youtube.uploaded"}
    assert all(verify_signature(one.body, one.headers["x-webhook-signature"], "a-secret-of-at-least-16") for one in got)
