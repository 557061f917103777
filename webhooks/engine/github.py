"""From a GitHub event to the task it asks for, or to why it asks for none. Pure; called by intake, because the answer needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PULL_REQUEST_ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review")
INSTALLATION_ACTIONS = ("created", "deleted")
NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Asked:
    """`task_type` names the task, or is empty; then `reason` is a fixed word and `explanation` the sentence for people."""

    task_type: str = ""
    reason: str = ""
    explanation: str = ""

    @property
    def is_ignored(self) -> bool:
        """Nothing is to be done, not even to remember it as a change of an installation."""
        return bool(self.reason)


RECORDED = Asked()


def task_for(event: str, payload: Any, *, failed_conclusions: Sequence[str], main_branches: Sequence[str]) -> Asked:
    """What `event` with `payload` asks for. Any shape of payload is taken; what is missing counts as not there."""
    reader = _READERS.get(event)
    if reader is None:
        return Asked(reason="event_not_handled", explanation=f"Nothing is done for the event {event!r}; it is kept.")
    return reader(payload if isinstance(payload, Mapping) else {}, failed_conclusions, main_branches)


def _ping(_payload: Mapping[str, Any], _conclusions: Sequence[str], _branches: Sequence[str]) -> Asked:
    return Asked(reason="ping", explanation="GitHub tried the connection; there is nothing to do.")


def _installation(payload: Mapping[str, Any], _conclusions: Sequence[str], _branches: Sequence[str]) -> Asked:
    action = payload.get("action")
    return RECORDED if action in INSTALLATION_ACTIONS else _other_action("installation", action, INSTALLATION_ACTIONS)


def _pull_request(payload: Mapping[str, Any], _conclusions: Sequence[str], _branches: Sequence[str]) -> Asked:
    action = payload.get("action")
    if action in PULL_REQUEST_ACTIONS:
        return Asked("pull_request_analysis")
    return _other_action("pull_request", action, PULL_REQUEST_ACTIONS)


def _check_run(payload: Mapping[str, Any], conclusions: Sequence[str], _branches: Sequence[str]) -> Asked:
    return _check("check_run", "check_failure_analysis", payload, conclusions)


def _check_suite(payload: Mapping[str, Any], conclusions: Sequence[str], _branches: Sequence[str]) -> Asked:
    return _check("check_suite", "check_suite_failure_analysis", payload, conclusions)


def _check(kind: str, task_type: str, payload: Mapping[str, Any], conclusions: Sequence[str]) -> Asked:
    if payload.get("action") != "completed":
        return _other_action(kind, payload.get("action"), ("completed",))
    check = payload.get(kind)
    conclusion = check.get("conclusion") if isinstance(check, Mapping) else None
    if conclusion in conclusions:
        return Asked(task_type)
    return Asked(
        reason="not_failed", explanation=f"The {kind} ended with {_shown(conclusion)}; only {', '.join(conclusions)} ask for an analysis."
    )


def _push(payload: Mapping[str, Any], _conclusions: Sequence[str], branches: Sequence[str]) -> Asked:
    ref = payload.get("ref")
    if payload.get("deleted") is True or payload.get("after") == NO_COMMIT:
        return Asked(reason="branch_deleted", explanation=f"The push deleted {_shown(ref)}; there is nothing to analyse.")
    if isinstance(ref, str) and ref in {f"refs/heads/{branch}" for branch in branches}:
        return Asked("push_analysis")
    return Asked(
        reason="other_branch", explanation=f"The push went to {_shown(ref)}; only the branches {', '.join(branches)} ask for an analysis."
    )


def _other_action(kind: str, action: Any, wanted: Sequence[str]) -> Asked:
    return Asked(reason="action_not_handled", explanation=f"The action of {kind} is {_shown(action)}; only {', '.join(wanted)} count.")


def _shown(value: Any) -> str:
    return repr(value)[:80] if isinstance(value, str) else "not given" if value is None else "not a text"


_READERS = {
    "ping": _ping,
    "installation": _installation,
    "pull_request": _pull_request,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "push": _push,
}
