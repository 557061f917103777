"""The client of GitHub's API against a stand-in: token, quota, breaker, hook deliveries."""

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import time_machine

from config.kernel.flow.errors import InvalidInput, LimitReached, PermanentError, TemporaryError
from config.kernel.limits import breaker
from config.kernel.watch import metrics
from config.kernel.wire import github, http
from tests.support import receivers
from tests.support.receivers import Received, Receiver

pytestmark = pytest.mark.django_db

HOOK = "repos/acme/shop/hooks/7"
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class StandIn:
    """Answers what a test has set; anything else is 404, as GitHub does."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any, dict[str, str]]] = {}

    def set(self, route: str, status: int, json: Any = None, **headers: str) -> None:
        """`route` is `METHOD /path` with the query."""
        self.answers[route] = (status, json, {name.replace("_", "-"): value for name, value in headers.items()})

    def __call__(self, receiver: Receiver, connection: socket.socket, request: Received) -> bool:
        status, json, headers = self.answers.get(f"{request.method} {request.path}", (404, {"message": "Not Found"}, {}))
        return receivers.answering(status, b"" if json is None else orjson.dumps(json), headers)(receiver, connection, request)


@pytest.fixture
def answers() -> StandIn:
    return StandIn()


@pytest.fixture(autouse=True)
def stand_in(settings: Any, answers: StandIn) -> Iterator[Receiver]:
    with receivers.serve(answers) as found:
        settings.GITHUB_API_URL = f"http://127.0.0.1:{found.port}/api"
        settings.GITHUB_TOKEN = "ghp_test"
        yield found
    http.close_pools()


def test_get_carries_token_version_and_parameters(stand_in: Receiver, answers: StandIn) -> None:
    answers.set("GET /api/repos/acme/shop/pulls/1/files?per_page=100&q=a+b", 200, [{"filename": "a.py"}])

    answer = github.get("/repos/acme/shop/pulls/1/files", {"per_page": 100, "q": "a b"})

    assert (answer.status, answer.json) == (200, [{"filename": "a.py"}])
    headers = stand_in.requests[0].headers
    assert headers["authorization"] == "Bearer ghp_test"
    assert headers["accept"] == "application/vnd.github+json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", headers["x-github-api-version"])


def test_post_sends_json(stand_in: Receiver, answers: StandIn) -> None:
    answers.set("POST /api/repos/acme/shop/issues/1/comments", 201, {"id": 5})

    assert github.post("/repos/acme/shop/issues/1/comments", {"body": "hello"}).json == {"id": 5}
    assert orjson.loads(stand_in.requests[0].body) == {"body": "hello"}


def test_what_is_not_there_is_an_answer() -> None:
    assert github.get("/repos/acme/none").status == 404


def test_without_a_token_nothing_is_called(settings: Any, stand_in: Receiver) -> None:
    settings.GITHUB_TOKEN = ""

    with pytest.raises(PermanentError) as caught:
        github.get("/user")

    assert not github.is_configured()
    assert caught.value.code == "not_configured"
    assert stand_in.requests == []


def test_refused_token_is_a_permanent_error_that_does_not_show_it(answers: StandIn) -> None:
    answers.set("GET /api/user", 401, {"message": "Bad credentials"})

    with pytest.raises(PermanentError) as caught:
        github.get("/user")

    assert caught.value.code == "unauthenticated"
    assert "ghp_test" not in caught.value.message


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry_After": "30"}, 30),
        (403, {"Retry_After": "60"}, 60),
        (403, {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(int(NOW.timestamp()) + 90)}, 90),
        (429, {"X_RateLimit_Reset": str(int(NOW.timestamp()) - 90)}, 1),
        (429, {"Retry_After": "soon", "X_RateLimit_Reset": "9" * 5000}, 60),
        (429, {}, 60),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_used_up_quota_says_when_there_is_more(answers: StandIn, status: int, headers: dict[str, str], seconds: float) -> None:
    answers.set("GET /api/user", status, None, **headers)

    with pytest.raises(LimitReached) as caught:
        github.get("/user")

    assert caught.value.retry_after_seconds == seconds


def test_forbidden_for_another_reason_is_an_answer(answers: StandIn) -> None:
    answers.set("GET /api/user", 403, {"message": "Resource not accessible"}, X_RateLimit_Remaining="12")

    assert github.get("/user").status == 403


def test_remaining_quota_is_a_gauge(answers: StandIn) -> None:
    answers.set("GET /api/user", 200, {}, X_RateLimit_Remaining="42")
    assert github.quota_remaining() == {}

    github.get("/user")

    assert re.search(rb"^github_quota_remaining 42(\.0)?$", metrics.render(), re.MULTILINE)


def test_failures_open_the_breaker_and_then_nothing_is_called(settings: Any, stand_in: Receiver, answers: StandIn) -> None:
    answers.set("GET /api/user", 502)
    for _ in range(5):
        with pytest.raises(TemporaryError):
            github.get("/user")

    with pytest.raises(TemporaryError) as caught:
        github.get("/user")

    assert breaker.state(github.BREAKER) == "open"
    assert caught.value.code == "breaker_open"
    assert len(stand_in.requests) == 5


def test_unreachable_api_is_a_temporary_error_and_counts_as_a_failure(settings: Any) -> None:
    settings.GITHUB_API_URL = f"http://127.0.0.1:{receivers.refused_port()}"

    with pytest.raises(TemporaryError, match="connection refused"):
        github.get("/user")

    assert breaker.Breaker.objects.get(key=github.BREAKER).failures == 1


def test_answer_closes_the_row_of_failures(answers: StandIn) -> None:
    breaker.failed(github.BREAKER)

    github.get("/user")

    assert breaker.Breaker.objects.get(key=github.BREAKER).failures == 0


def test_deliveries_of_a_hook_come_by_page(answers: StandIn) -> None:
    link = '<https://api.github.com/repositories/1/hooks/7/deliveries?per_page=100&cursor=v1_42>; rel="next"'
    answers.set(f"GET /api/{HOOK}/deliveries?per_page=100", 200, [{"id": 2}], Link=link)
    answers.set(f"GET /api/{HOOK}/deliveries?per_page=100&cursor=v1_42", 200, [{"id": 1}])

    first = github.list_hook_deliveries(HOOK)
    last = github.list_hook_deliveries(HOOK, first.next_cursor)

    assert (first.deliveries, first.next_cursor) == ([{"id": 2}], "v1_42")
    assert (last.deliveries, last.next_cursor) == ([{"id": 1}], "")


def test_deliveries_of_an_unknown_hook_are_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="404"):
        github.list_hook_deliveries("orgs/acme/hooks/9")


def test_redelivery_says_whether_github_took_it(answers: StandIn) -> None:
    answers.set(f"POST /api/{HOOK}/deliveries/12/attempts", 202)

    assert github.redeliver(HOOK, 12) is True
    assert github.redeliver(HOOK, 13) is False
    assert github.redeliver("repos/acme/.github/hooks/7", 12) is False


@pytest.mark.parametrize(
    "hook",
    [
        "",
        "7",
        "repos/acme/shop",
        "repos/acme/shop/hooks/x",
        "repos/../../user/hooks/1",
        "repos/../shop/hooks/1",
        "repos/acme/../hooks/1",
        "orgs/./hooks/1",
        "orgs/a/hooks/1/../../x",
        "orgs/a b/hooks/1",
    ],
)
def test_what_is_no_hook_is_never_made_into_a_path(stand_in: Receiver, hook: str) -> None:
    with pytest.raises(InvalidInput):
        github.list_hook_deliveries(hook)

    assert stand_in.requests == []


def test_reply_that_is_no_json_has_none(stand_in: Receiver, settings: Any) -> None:
    with receivers.ok(body=b"<html>") as page:
        settings.GITHUB_API_URL = f"http://127.0.0.1:{page.port}"

        assert github.get("/user").json is None
