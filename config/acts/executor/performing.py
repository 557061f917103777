"""Calls an action and turns whatever it does into a Result. Used by `loop` for inline actions, and inside of child processes."""

import contextlib
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.db import connection
from django.db.utils import OperationalError

from config.acts.executor.results import Result
from config.acts.plugins.actions import Action, Call
from config.kernel.flow import clock
from config.kernel.flow.errors import PermanentError, StewardError, TemporaryError, capture
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused, Waiting
from config.kernel.language import json_text
from config.kernel.wire import redact

OUTPUT_BYTES = 64 * 1024
MESSAGE_LETTERS = 2000
_timeouts = "_steward_statement_timeout"


def perform(action: Action, params: Mapping[str, Any], call: Call, *, is_undo: bool) -> Result:
    """Run it, or its undo. Never raises: what it raises is a Result, its traceback is in the process's log only."""
    with capture("action.raised", action=type(action).__module__, invocation=call.id) as caught:
        try:
            return _result(action.undo(params, call) if is_undo else action.run(params, call))
        except TemporaryError as error:
            return Result("temporary", code=error.code, message=_said(error.message), retry_after=error.retry_after_seconds)
        except PermanentError as error:
            kind = "not_configured" if error.code == "not_configured" else "failed"
            return Result(kind, code=error.code, message=_said(error.message))  # type: ignore[arg-type]
    return _raised(caught.error)


@contextlib.contextmanager
def statements_end_after(seconds: float) -> Iterator[None]:
    """In the block no statement of this thread takes longer, where the database can see to that; told once per connection and length."""
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        wanted = max(1, round(seconds * 1000))
        if getattr(connection.connection, _timeouts, None) != wanted:
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(wanted)])
            setattr(connection.connection, _timeouts, wanted)
    yield


def _said(sentence: str) -> str:
    """For the row: a longer one would not come through to whoever waits for the child's answer."""
    return redact.text(sentence)[:MESSAGE_LETTERS]


def _raised(error: Exception | None) -> Result:
    if isinstance(error, MemoryError):
        return Result("failed", code="resource_limit", message="It wanted more memory than ACTION_MEMORY_BYTES allows.")
    if isinstance(error, OperationalError) and type(error.__cause__).__name__ == "QueryCanceled":
        return Result("timeout", code="timeout", message="A statement took longer than the time-out.")
    code = error.code if isinstance(error, StewardError) else "error"
    last = traceback.extract_tb(error.__traceback__)[-1:] if error else []
    where = f" (line {last[0].lineno} of {last[0].filename.rpartition('/')[2]})" if last else ""
    return Result("failed", code=code, message=_said(f"{type(error).__name__}: {error}") + where)


def _result(outcome: Outcome) -> Result:
    if isinstance(outcome, Done):
        return _capped(outcome.output, "output") or Result("done", output=_as_json(outcome.output))
    if isinstance(outcome, Waiting):
        waiting = Result("waiting", state=_as_json(outcome.state), resume_at=clock.text(outcome.resume_at))
        return _capped(outcome.state, "state") or waiting
    if isinstance(outcome, Failed):
        failed = Result("failed", code=outcome.code[:40], message=_said(outcome.message), output=_as_json(outcome.output))
        return _capped(outcome.output, "output") or failed
    if isinstance(outcome, Refused):
        return Result("refused", code="refused", message=_said(outcome.reason))
    if isinstance(outcome, NotConfigured):
        return Result("not_configured", code="not_configured", message=_said(outcome.what))
    raise TypeError(f"an action must answer with an Outcome, not with {type(outcome).__name__}")


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(orjson.loads(json_text.write(dict(value))))


def _capped(value: Mapping[str, Any], what: str) -> Result | None:
    """A failure when it cannot be stored."""
    raw = json_text.write(dict(value))
    if len(raw) > OUTPUT_BYTES:
        message = f"Its {what} has {len(raw)} bytes; {OUTPUT_BYTES} are allowed. Keep large things elsewhere."
        return Result("failed", code="resource_limit", message=message)
    json_text.read(raw, what=f"The {what} of the action")
    return None
