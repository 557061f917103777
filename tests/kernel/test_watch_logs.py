"""How a log line looks, and that a task's lines carry a correlation id."""

import json
import logging
import sys
from types import SimpleNamespace

import pytest

from config.kernel.flow import context
from config.kernel.watch import logs

pytestmark = pytest.mark.pure


def a_record(message="something.happened", *args, level=logging.INFO, **extra):
    record = logging.LogRecord("webhooks.deliver", level, "x.py", 1, message, args, None)
    vars(record).update(extra)
    return record


def line_of(record):
    text = logs.JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


@pytest.mark.parametrize(
    ("level", "word"),
    [(logging.DEBUG, "debug"), (logging.INFO, "info"), (logging.WARNING, "warn"), (logging.ERROR, "error"), (logging.CRITICAL, "fatal")],
)
def test_levels_have_the_names_of_the_requirement(level, word):
    assert line_of(a_record(level=level))["level"] == word


def test_time_is_utc_with_milliseconds():
    record = a_record()
    record.created = 1769860800.0421
    assert line_of(record)["time"] == "2026-01-31T12:00:00.042Z"


def test_line_carries_the_correlation_id_of_the_context():
    with context.using(correlation_id="abc-1"):
        assert line_of(a_record())["correlation_id"] == "abc-1"


def test_context_and_known_fields_stand_beside_the_message():
    line = line_of(
        a_record("took %s", "long", context={"delivery": "dlv_1"}, videoId="v1", state="done", duration=1.5, metadata={"language": "en"})
    )
    assert line["msg"] == "took long"
    assert (line["delivery"], line["videoId"], line["state"], line["duration"]) == ("dlv_1", "v1", "done", 1.5)
    assert line["metadata"] == {"language": "en"}


def test_context_cannot_replace_what_the_line_says_of_itself():
    line = line_of(a_record(context={"level": "none", "msg": "other"}))
    assert (line["level"], line["msg"], line["context_level"]) == ("info", "something.happened", "none")


def test_stack_stays_inside_the_line():
    try:
        raise ValueError("broken")
    except ValueError:
        record = a_record(exc_info=sys.exc_info())
    assert "ValueError: broken" in line_of(record)["stack"]


def test_trace_id_is_there_only_when_something_traces():
    assert "trace_id" not in line_of(a_record(otelTraceID="0"))
    assert line_of(a_record(otelTraceID="4bf92f"))["trace_id"] == "4bf92f"


@pytest.mark.parametrize("value", ["\ud800", 10**30, {1: object()}, {"a": b"\xff"}])
def test_nothing_that_is_logged_can_break_the_line(value):
    assert line_of(a_record(context={"odd": value}))["msg"] == "something.happened"


def test_secrets_are_masked_in_message_and_context():
    line = line_of(a_record("sent with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", context={"secret": "hunter2hunter2"}))
    assert "MfKQ9r8GKYqrTwjUPD8" not in json.dumps(line)
    assert "hunter2hunter2" not in json.dumps(line)


def test_plain_form_has_the_level_in_capitals():
    text = logs.TextFormatter().format(a_record("it.failed", level=logging.ERROR, context={"run": "run_1"}))
    assert " ERROR webhooks.deliver it.failed " in text
    assert text.endswith("run=run_1")


def test_daily_file_has_one_json_object_per_line(tmp_path):
    handler = logs.DailyFileHandler(str(tmp_path))
    handler.setFormatter(logs.JsonFormatter())
    first, second = a_record("one"), a_record("two\nlines")
    first.created = second.created = 1769860800.0
    handler.emit(first)
    handler.emit(second)
    lines = (tmp_path / "steward-2026-01-31.log").read_text().splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["one", "two\nlines"]
    assert all({"level", "time", "msg"} <= set(json.loads(line)) for line in lines)


def test_message_takes_the_senders_correlation_id_along():
    headers = {}
    with context.using(correlation_id="abc-2"):
        logs.tasks.publish(headers=headers)
    task = SimpleNamespace(request=SimpleNamespace(**headers))
    logs.tasks.begin(task_id="t1", task=task)
    inside = context.current().correlation_id
    logs.tasks.end(task_id="t1")
    assert (inside, context.current().correlation_id) == ("abc-2", "")


def test_task_without_a_sender_gets_a_fresh_correlation_id():
    logs.tasks.begin(task_id="t2", task=None)
    inside = context.current().correlation_id
    logs.tasks.end(task_id="t2")
    assert len(inside) == 32
