"""How a log line looks: one JSON object, nothing secret in it, with the correlation id of the request or task it belongs to.
Used by the LOGGING setting; `carry_correlation_ids` does the same for Celery tasks."""

import json
import logging
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from config.kernel.flow import clock, context
from config.kernel.wire import redact

LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "fatal"}
# Given straight in `extra`: the words of S2-39 and what tracing adds to a record.
KNOWN = ("videoId", "state", "duration", "metadata", "trace_id", "span_id", "task_id")
# Set by the caller's `extra` must not replace what the line says of itself.
OWN = frozenset({"level", "time", "msg", "logger", "correlation_id", "stack"})
HEADER = "steward_correlation_id"


class JsonFormatter(logging.Formatter):
    """level, time, msg, logger, correlation_id, then what `extra={"context": {...}}` and the known fields say, then the stack."""

    def format(self, record: logging.LogRecord) -> str:
        """One line. Never raises for what it is given: what JSON does not know is written as text."""
        line = {
            "level": LEVELS.get(record.levelname, record.levelname.lower()),
            "time": _time(record),
            "msg": redact.text(record.getMessage()),
            "logger": record.name,
            "correlation_id": _correlation_id(record),
            **_extra(record),
        }
        if stack := self._stack(record):
            line["stack"] = redact.text(stack)
        return _json(line)

    def _stack(self, record: logging.LogRecord) -> str:
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        return "\n".join(part for part in (record.exc_text, record.stack_info) if part)


class TextFormatter(JsonFormatter):
    """The plain form of `engine.log`: time, LEVEL in capitals, logger, message, then key=value; for `grep ERROR`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the stack on the lines below it."""
        pairs = {"correlation_id": _correlation_id(record), **_extra(record)}
        words = [f"{key}={value}" for key, value in pairs.items() if value not in ("", None)]
        message = redact.text(record.getMessage()).replace("\n", "\\n")
        line = " ".join([_time(record), record.levelname, record.name, message, *words])
        stack = self._stack(record)
        return f"{line}\n{redact.text(stack)}" if stack else line


class DailyFileHandler(logging.Handler):
    """Appends to `steward-YYYY-MM-DD.log` (UTC) in `folder`. Safe for several processes: each line is one append."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = Path(folder)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line to the file of its day."""
        try:
            day = datetime.fromtimestamp(record.created, UTC).date().isoformat()
            with (self.folder / f"steward-{day}.log").open("a", encoding="utf-8") as file:
                file.write(self.format(record) + "\n")
        except OSError:
            self.handleError(record)


class _Tasks:
    """Which context each running task of this process has opened."""

    def __init__(self) -> None:
        self.opened: dict[str, AbstractContextManager[context.Context]] = {}

    def publish(self, headers: dict[str, Any] | None = None, **_: Any) -> None:
        """A message takes the correlation id of whoever sends it along."""
        if headers is not None and (found := context.current().correlation_id):
            headers[HEADER] = found

    def begin(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        """A task's lines carry its sender's id, or a fresh one."""
        given = str(getattr(getattr(task, "request", None), HEADER, "") or "")
        opened = context.using(correlation_id=context.valid_correlation_id(given))
        opened.__enter__()
        self.opened[task_id] = opened

    def end(self, task_id: str = "", **_: Any) -> None:
        """The thread goes back to what it was."""
        if opened := self.opened.pop(task_id, None):
            opened.__exit__(None, None, None)


tasks = _Tasks()


def carry_correlation_ids() -> None:
    """Connect to Celery: from now on task lines carry correlation ids. Called once per process, by the kernel's duties."""
    from celery import signals

    signals.before_task_publish.connect(tasks.publish, weak=False, dispatch_uid="kernel.logs.publish")
    signals.task_prerun.connect(tasks.begin, weak=False, dispatch_uid="kernel.logs.begin")
    signals.task_postrun.connect(tasks.end, weak=False, dispatch_uid="kernel.logs.end")


def _correlation_id(record: logging.LogRecord) -> str:
    """The record's own, the context's, or that of the request which Django puts on lines it writes after the context has ended."""
    request = getattr(record, "request", None)
    return getattr(record, "correlation_id", "") or context.current().correlation_id or getattr(request, "correlation_id", "")


def _time(record: logging.LogRecord) -> str:
    return clock.text(datetime.fromtimestamp(record.created, UTC))


def _json(line: dict[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        # Half a character, a number past 64 bits, a circle: the slower writer takes them, or says what they are.
        return json.dumps({key: value if isinstance(value, str) else repr(value) for key, value in line.items()})


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    given = getattr(record, "context", None)
    found = dict(given) if isinstance(given, dict) else {}
    found.update({name: getattr(record, name) for name in KNOWN if getattr(record, name, None) is not None})
    trace = getattr(record, "otelTraceID", "0")
    if trace not in ("0", "", None):
        found["trace_id"] = trace
    named = {f"context_{key}" if key in OWN else str(key): value for key, value in found.items()}
    shown = redact.data(named)
    return shown if isinstance(shown, dict) else {}
