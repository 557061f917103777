"""Every payload that GitHub publishes, signed, as JSON and as a form: taken exactly once, kept byte for byte."""

from collections import Counter
from urllib.parse import urlencode

import orjson
import pytest

from config.kernel.models import Event
from tests.support.inbound import FORM, SECRET, Example, github_examples, github_headers, post
from webhooks.models import Receipt
from webhooks.services import sources

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/webhooks/github"


def request_of(example: Example, number: int, kind: str) -> tuple[bytes, dict[str, str]]:
    """Body and signed headers of one example."""
    body = orjson.dumps(example.payload)
    if kind == FORM:
        body = urlencode({"payload": body.decode()}).encode()
    return body, github_headers(body, event=example.event, delivery=f"{kind[-4:]}-{number}")


@pytest.mark.parametrize("kind", ["application/json", FORM])
def test_every_published_example_is_accepted_exactly_once(kind: str) -> None:
    sources.create(slug="github", preset="github", secret=SECRET, rate_burst=1000)
    examples = github_examples()
    assert len(examples) == 329
    answers: Counter[tuple[int, str]] = Counter()
    for number, example in enumerate([*examples, *examples]):
        body, headers = request_of(example, number % 329, kind)
        reply = post(ADDRESS, body, headers, content_type=kind)
        answers[reply.status_code, reply.json()["status"]] += 1
        assert reply.json()["event_type"] == example.event
    assert answers == {(202, "accepted"): 329, (200, "duplicate"): 329}
    stored = list(Event.objects.filter(source="inbound:github").order_by("id"))
    assert [event.data for event in stored] == [example.payload for example in examples]
    assert Counter(Receipt.objects.values_list("status", flat=True))["duplicate"] == 329


def test_examples_ask_for_the_tasks_that_they_should() -> None:
    sources.create(slug="github", preset="github", secret=SECRET)
    wanted = [example for example in github_examples() if example.event in ("pull_request", "push", "check_run", "check_suite", "ping")]
    results: Counter[tuple[str, str]] = Counter()
    for number, example in enumerate(wanted):
        body, headers = request_of(example, number, "application/json")
        results[example.event, post(ADDRESS, body, headers).json()["result"]["status"]] += 1
    opened = sum(
        1
        for one in wanted
        if one.event == "pull_request" and one.payload["action"] in ("opened", "synchronize", "reopened", "ready_for_review")
    )
    assert results["pull_request", "queued"] == opened > 0
    assert results["push", "queued"] > 0
    assert results["ping", "pong"] == sum(1 for one in wanted if one.event == "ping")


@pytest.mark.parametrize("position", [0, 100, 328])
def test_example_with_one_byte_changed_is_refused(position: int) -> None:
    sources.create(slug="github", preset="github", secret=SECRET)
    body, headers = request_of(github_examples()[position], position, "application/json")
    assert post(ADDRESS, body + b" ", headers).status_code == 401
    assert not Event.objects.filter(source="inbound:github").exists()
