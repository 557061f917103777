"""The processors against the real thing: a receiver on loopback, a program of this machine."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.acts.plugins.processors import Item, processors
from config.kernel.flow.errors import LimitReached, PermanentError, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured
from tests.support import receivers

pytestmark = pytest.mark.pure
ITEM = Item(id="itm_1", key="order-7", queue="videos", payload={"video_id": "vid_1"}, attempt=2)

SCRIPT = """#!{python}
import json, os, sys
told = json.load(sys.stdin)
how = told.get("how", "")
if how == "again":
    print("the disk is full", file=sys.stderr); sys.exit(75)
if how == "bad":
    print("no such video", file=sys.stderr); sys.exit(3)
if how == "hang":
    sys.stdin.close(); import time; time.sleep(60)
print(json.dumps({{"told": told, "item": os.environ["STEWARD_ITEM_ID"], "key": os.environ["STEWARD_ITEM_KEY"],
    "attempt": os.environ["STEWARD_ITEM_ATTEMPT"], "secret": os.environ.get("SECRET_KEY")}}))
"""


@pytest.fixture
def loopback(settings: Any) -> None:
    """Receivers on loopback may be called, as an operator would allow it."""
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]


def call(url: str, **more: Any) -> Any:
    return processors.get("automation.http_call").process(ITEM, {"url": url, "token": "", "timeout_seconds": 5, **more})


def test_the_payload_is_posted_with_the_key_that_tells_repeats(loopback):
    with receivers.ok(body=b'{"video":"ready"}') as sink:
        outcome = call(sink.url, token="hush")
        [request] = sink.wait_for(1)
    assert outcome == Done({"status": 200, "reply": {"video": "ready"}})
    assert (request.method, orjson.loads(request.body)) == ("POST", {"video_id": "vid_1"})
    assert (request.headers["idempotency-key"], request.headers["x-steward-attempt"]) == ("order-7", "2")
    assert request.headers["authorization"] == "Bearer hush"


def test_a_reply_that_is_no_json_is_kept_as_text(loopback):
    with receivers.ok(status=202, body=b"on its way") as sink:
        assert call(sink.url) == Done({"status": 202, "reply": "on its way"})


@pytest.mark.parametrize("status", [500, 503, 408, 425])
def test_an_answer_that_may_change_is_temporary(loopback, status):
    with receivers.status(status) as sink, pytest.raises(TemporaryError, match=str(status)):
        call(sink.url)


def test_a_receiver_that_is_busy_says_for_how_long(loopback):
    with receivers.busy(seconds=90) as sink, pytest.raises(LimitReached) as busy:
        call(sink.url)
    assert busy.value.retry_after_seconds == 90


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_an_answer_that_will_stay_is_permanent(loopback, status):
    with receivers.status(status) as sink, pytest.raises(PermanentError, match=f"answered {status}"):
        call(sink.url)


def test_a_receiver_that_hangs_is_left_in_time(loopback):
    with receivers.slow_headers() as sink, pytest.raises(TemporaryError) as late:
        call(sink.url, timeout_seconds=0.2)
    assert late.value.code == "timeout"


def test_nobody_listening_is_temporary(loopback):
    with receivers.ok() as sink:
        url = sink.url
    with pytest.raises(TemporaryError, match="could not be reached"):
        call(url)


def test_an_address_inside_is_refused_for_good_unless_an_operator_allows_it():
    with receivers.ok() as sink:
        with pytest.raises(PermanentError) as refused:
            call(sink.url)
        assert (refused.value.code, sink.requests) == ("blocked_url", [])


def test_the_query_of_an_address_is_masked_in_messages(loopback):
    with receivers.status(404) as sink, pytest.raises(PermanentError) as refused:
        call(f"{sink.url}?key=hush")
    assert "hush" not in refused.value.message


@pytest.fixture
def listed(tmp_path: Path, settings: Any) -> Path:
    """A file of allowed programs with one that does as its payload says, and one that is not there."""
    script = tmp_path / "work"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    file = tmp_path / "commands.json"
    file.write_text(json.dumps({"work": {"argv": [str(script)]}, "gone": {"argv": [str(tmp_path / "gone")]}}))
    settings.STEWARD_COMMANDS_FILE = str(file)
    return file


def run(how: str = "", *, program: str = "work", timeout_seconds: float = 30) -> Any:
    item = Item(id="itm_1", key="order-7", queue="videos", payload={"how": how}, attempt=2)
    return processors.get("automation.command").process(item, {"program": program, "timeout_seconds": timeout_seconds})


def test_a_program_gets_the_payload_and_its_words_are_the_result(listed, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hush")
    outcome = run("well")
    assert outcome.output["exit_code"] == 0
    assert outcome.output["output"] == {"told": {"how": "well"}, "item": "itm_1", "key": "order-7", "attempt": "2", "secret": None}


def test_exit_status_75_means_again(listed):
    with pytest.raises(TemporaryError, match="the disk is full"):
        run("again")


def test_any_other_exit_status_means_failed(listed):
    assert run("bad") == Failed("exit_status", "The program work ended with exit status 3. no such video")


def test_a_program_that_hangs_is_stopped_and_tried_again(listed):
    with pytest.raises(TemporaryError) as late:
        run("hang", timeout_seconds=0.5)
    assert late.value.code == "timeout"


@pytest.mark.parametrize("program", ["gone", "rm"])
def test_a_program_that_is_not_there_or_not_listed_is_not_configured(listed, program):
    assert isinstance(run(program=program), NotConfigured)


def test_without_a_list_nothing_is_run(settings):
    settings.STEWARD_COMMANDS_FILE = ""
    outcome = run()
    assert isinstance(outcome, NotConfigured)
    assert "STEWARD_COMMANDS_FILE" in outcome.what


def test_the_form_offers_what_is_listed_and_says_where_to_add(listed):
    form = processors.get("automation.command").Parameters
    assert form({"program": "work", "timeout_seconds": 5}).is_valid()
    refused = form({"program": "rm", "timeout_seconds": 5})
    assert "rm is not listed in the file that STEWARD_COMMANDS_FILE names" in str(refused.errors["program"])
    assert os.path.exists(listed)
