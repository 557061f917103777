"""Other actions called by an action, one after the other, waited for without holding a worker. Called by actions that consist of others."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.acts.models import Invocation
from config.acts.plugins.actions import Call
from config.acts.running import invocations
from config.kernel.flow import clock
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Waiting

LOOK_AGAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Step:
    """One call: what people call it, the action's key, its parameters."""

    name: str
    action: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of a step: the status of its invocation, or `refused` where none was made; its output, or the sentence against it."""

    name: str
    status: str
    invocation: str = ""
    output: Mapping[str, Any] | None = None
    code: str = ""
    message: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it did what it should."""
        return self.status == Invocation.Status.COMPLETED

    def as_json(self) -> dict[str, Any]:
        """For an output."""
        found = {"name": self.name, "status": str(self.status), "invocation": self.invocation}
        return {**found, "output": self.output} if self.is_done else {**found, "code": self.code, "message": self.message}


def follow(steps: Sequence[Step], call: Call) -> list[Result] | Waiting:
    """The results, or Waiting while a step goes on: call it again with the same steps, which finds the same invocations.

    The next step begins when the one before has ended, however it ended.
    """
    results: list[Result] = []
    for number, step in enumerate(steps):
        found = _take(step, number, call)
        if found is None:
            return Waiting(clock.now() + LOOK_AGAIN, {"results": [result.as_json() for result in results], "at": step.name})
        results.append(found)
    return results


def undo(uid: str, call: Call) -> Result | Waiting:
    """Take back what the call `uid` did, and wait for it."""
    row = invocations.find(uid)
    again = Invocation.objects.filter(undoes=row).first()
    if again is None:
        try:
            again = invocations.undo(row, owner=call.owner, caller=f"invocation:{call.id}")
        except PermanentError as error:
            return Result(row.action, "refused", code=error.code, message=error.message)
    if again.status in Invocation.OPEN:
        return Waiting(clock.now() + LOOK_AGAIN, {"undo": again.uid})
    return _result(row.action, again)


def failure(results: Sequence[Result]) -> str:
    """A sentence that says how each step ended, for when not all of them did what they should."""
    parts = [f"{one.name} is done" if one.is_done else f"{one.name} {one.status}: {one.message or one.code}" for one in results]
    return f"{sum(one.is_done for one in results)} of {len(results)} were done. {'; '.join(parts)}."


def _take(step: Step, number: int, call: Call) -> Result | None:
    """Begin the step, or find it begun; its result, or None while it goes on."""
    try:
        row = invocations.call(
            step.action, step.params, owner=call.owner, caller=f"invocation:{call.id}", key=_key(call, number, step.action)
        )
    except PermanentError as error:
        return Result(step.name, "refused", code=error.code, message=error.message)
    return None if row.status in Invocation.OPEN else _result(step.name, row)


def _result(name: str, row: Invocation) -> Result:
    return Result(name, row.status, row.uid, row.output, row.error_code, row.error_message)


def _key(call: Call, number: int, action: str) -> str:
    """The same at each turn; never longer than the column."""
    return f"{hashlib.sha256((call.key or call.id).encode()).hexdigest()[:32]}:{number}:{action}"
