"""`python3 manage.py up`, as a new user meets it: it says what to do, what it says works, it stops, and it goes on."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.support import environment, servers
from tests.support.environment import ROOT
from tests.support.stack import until

STARTS_SECONDS = 90


@pytest.fixture
def up(tmp_path):
    """A function that starts `up` on one data folder and one port; what still runs is ended."""
    port, running = servers.free_port(), []
    with environment.database() as database_url:
        given = environment.of_process(tmp_path, database_url=database_url, PORT=str(port), STEWARD_BOOTSTRAP="off")

        def start(*words):
            path = tmp_path / f"out{len(running)}"
            with path.open("w") as out:
                process = subprocess.Popen([sys.executable, "manage.py", "up", *words], cwd=ROOT, env=given, stdout=out, stderr=out)
            running.append(process)
            process.page = f"http://127.0.0.1:{port}"
            process.said = path.read_text
            until(lambda: is_well(process), seconds=STARTS_SECONDS, what="/health")
            return process

        yield start
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait(10)


def is_well(process):
    assert process.poll() is None, process.said()
    try:
        with urllib.request.urlopen(process.page + "/health", timeout=5) as reply:
            return json.load(reply)["checks"]["celery"] == "healthy"
    except OSError:
        return False


def stop(process, number=signal.SIGINT):
    started = time.monotonic()
    process.send_signal(number)
    assert process.wait(20) == 0, process.said()
    return time.monotonic() - started


def test_first_start_shows_the_password_and_what_it_suggests_works(up):
    process = up()
    said = process.said()
    assert re.search(r"Password +\S{12,}", said)
    suggested = re.findall(r"^ +(curl (?:.*\\\n)*.*)$", said, re.MULTILINE)
    replies = [json.loads(subprocess.run(command, shell=True, capture_output=True, check=True).stdout) for command in suggested]
    assert [replies[0]["type"], replies[1]["status"]] == ["video.completed", "accepted"]
    [token] = set(re.findall(r"stw_[\w-]+", said))
    until(lambda: attempts(process, token), what="the delivery to the inbox")
    assert stop(process) < 10


def attempts(process, token):
    request = urllib.request.Request(process.page + "/api/v1/webhooks/deliveries", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as reply:
        return [row for row in json.load(reply)["results"] if row["attempt_count"]]


def test_second_start_goes_on_and_shows_no_secret(up):
    stop(up("--json"), signal.SIGTERM)
    process = up("--json")
    [line] = [line for line in process.said().splitlines() if '"url"' in line]
    assert (json.loads(line)["password"], json.loads(line)["token"]) == (None, None)
    stop(process)
