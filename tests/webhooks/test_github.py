"""Which GitHub event asks for which task, by tables."""

from typing import Any

import pytest

from tests.support import inbound
from webhooks.engine import github
from webhooks.engine.github import Asked

pytestmark = pytest.mark.pure

FAILED = ["failure", "timed_out"]
MAIN = ["main", "master"]


def asked(event: str, payload: Any, failed: list[str] = FAILED, main: list[str] = MAIN) -> Asked:
    return github.task_for(event, payload, failed_conclusions=failed, main_branches=main)


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_pull_request_that_is_ready_to_be_read_asks_for_an_analysis(action: str) -> None:
    assert asked("pull_request", {"action": action}).task_type == "pull_request_analysis"


@pytest.mark.parametrize("action", ["closed", "labeled", "edited", "", None, 7, ["opened"], {}])
def test_other_pull_request_actions_are_ignored_with_a_reason(action: Any) -> None:
    answer = asked("pull_request", {"action": action})
    assert (answer.task_type, answer.reason, answer.is_ignored) == ("", "action_not_handled", True)
    assert "opened" in answer.explanation


@pytest.mark.parametrize(("kind", "task"), [("check_run", "check_failure_analysis"), ("check_suite", "check_suite_failure_analysis")])
@pytest.mark.parametrize("conclusion", ["failure", "timed_out"])
def test_failed_check_asks_for_its_analysis(kind: str, task: str, conclusion: str) -> None:
    assert asked(kind, {"action": "completed", kind: {"conclusion": conclusion}}).task_type == task


@pytest.mark.parametrize("kind", ["check_run", "check_suite"])
@pytest.mark.parametrize("conclusion", ["success", "neutral", "skipped", "cancelled", "action_required", None, 3, [], {}])
def test_check_that_did_not_fail_is_ignored(kind: str, conclusion: Any) -> None:
    assert asked(kind, {"action": "completed", kind: {"conclusion": conclusion}}).reason == "not_failed"


def test_check_that_is_not_completed_is_ignored() -> None:
    assert asked("check_run", {"action": "created", "check_run": {"conclusion": "failure"}}).reason == "action_not_handled"


def test_which_conclusions_count_is_the_callers_choice() -> None:
    payload = {"action": "completed", "check_run": {"conclusion": "cancelled"}}
    assert asked("check_run", payload, failed=["cancelled"]).task_type == "check_failure_analysis"


@pytest.mark.parametrize("branch", ["main", "master"])
def test_push_to_a_main_branch_asks_for_an_analysis(branch: str) -> None:
    assert asked("push", {"ref": f"refs/heads/{branch}", "after": "a" * 40}).task_type == "push_analysis"


@pytest.mark.parametrize("ref", ["refs/heads/feature/main", "refs/tags/main", "main", "refs/heads/mainline", None, 5, []])
def test_push_elsewhere_is_ignored(ref: Any) -> None:
    assert asked("push", {"ref": ref}).reason == "other_branch"


@pytest.mark.parametrize("payload", [{"deleted": True}, {"after": "0" * 40}])
def test_deleted_branch_is_ignored(payload: dict[str, Any]) -> None:
    assert asked("push", {"ref": "refs/heads/main", **payload}).reason == "branch_deleted"


def test_main_branches_are_the_callers_choice() -> None:
    assert asked("push", {"ref": "refs/heads/trunk"}, main=["trunk"]).task_type == "push_analysis"
    assert asked("push", {"ref": "refs/heads/main"}, main=["trunk"]).reason == "other_branch"


@pytest.mark.parametrize("action", ["created", "deleted"])
def test_installation_is_recorded_without_a_task(action: str) -> None:
    answer = asked("installation", {"action": action})
    assert (answer.task_type, answer.is_ignored) == ("", False)


def test_ping_is_told_apart_and_asks_for_nothing() -> None:
    assert asked("ping", {"zen": "Keep it simple."}).reason == "ping"


@pytest.mark.parametrize("event", ["star", "fork", "", "<script>"])
def test_unknown_event_is_ignored_with_a_reason(event: str) -> None:
    assert asked(event, {}).reason == "event_not_handled"


@pytest.mark.parametrize("payload", [None, [], "text", 1, {"check_run": []}, {"check_run": None, "action": "completed"}])
@pytest.mark.parametrize("event", ["ping", "push", "pull_request", "check_run", "check_suite", "installation"])
def test_any_shape_of_payload_is_answered(event: str, payload: Any) -> None:
    assert not asked(event, payload).task_type


def test_every_published_example_is_mapped() -> None:
    tasks = [asked(example.event, example.payload).task_type for example in inbound.github_examples()]
    assert len(tasks) == 329
    assert {task for task in tasks if task} >= {"pull_request_analysis", "push_analysis"}
