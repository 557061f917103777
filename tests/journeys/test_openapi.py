"""The API against its own description: nothing answers 5xx, and no status comes that the description does not name."""

import json
import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.support import stack

EXAMPLES = 80 if os.environ.get("STEWARD_TEST_SCALE") == "full" else 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
OPEN = ("/api/schema", "/api/v1/webhooks/github", "/in/", "/health", "/metrics", "/docs", "/.well-known/")
PLENTY = {"API_RATE_PER_MINUTE": "1000000", "API_RATE_MANAGE_PER_MINUTE": "1000000"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A real installation with a row of each kind, so that the ids `known` fills in may be found."""
    with stack.installation(tmp_path_factory.mktemp("house"), **PLENTY) as found:
        found.call("/api/v1/webhooks/endpoints", {"id": "a", "url": "https://receiver.invalid/", "events": ["video.failed"]})
        found.call("/api/v1/webhooks/sources", {"slug": "a", "preset": "hmac"})
        found.call("/api/v1/events", {"type": "video.failed", "data": {"videoId": "v", "error": {"message": "m"}}, "id": "a"})
        found.call(
            "/api/v1/automation/rules", {"name": "a", "trigger": "EVENT_DRIVEN", "actions": [{"action": "automation.cleanup_cache"}]}
        )
        yield found


@pytest.fixture(scope="module")
def described(house):
    return schemathesis.openapi.from_url(f"{house.url}/api/schema")


schema = schemathesis.pytest.from_fixture("described")
QUIETLY = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


@schema.parametrize()
@settings(max_examples=EXAMPLES, **QUIETLY)
def test_the_api_keeps_its_word(case, house):
    known(case)
    case.call_and_validate(headers={"Authorization": f"Bearer {house.token}"}, checks=CHECKS)


@pytest.mark.pure
@schema.parametrize()
@settings(max_examples=1, **QUIETLY)
def test_nothing_answers_without_a_token(case):
    if not case.operation.path.startswith(OPEN):
        assert case.call().status_code == 401


def test_the_document_says_how_to_begin_and_every_operation_has_a_summary_and_a_described_tag(house):
    described = json.loads(house.call("/api/schema").body)
    assert "create_token" in described["info"]["description"]
    assert "problem+json" in described["info"]["description"]
    explained = {tag["name"] for tag in described["tags"] if tag.get("description")}
    operations = [(path, one) for path, verbs in described["paths"].items() for one in verbs.values()]
    assert [path for path, one in operations if not one.get("summary") or not set(one["tags"]) <= explained] == []
    old = {path for path, one in operations if one["tags"] == ["compatibility"]}
    assert old == {path for path, _ in operations if path.startswith(("/api/autonomous/", "/api/webhooks", "/webhooks/"))}


@pytest.mark.parametrize("address", ["/health", "/metrics", "/docs", "/api/v1/webhooks/github", "/in/{source}"])
def test_what_is_no_view_of_the_api_is_described_too(house, address):
    assert address in json.loads(house.call("/api/schema").body)["paths"]


def test_every_operation_names_its_errors(house):
    """Each declared operation that needs a token says so, and that it may be refused."""
    described = json.loads(house.call("/api/schema").body)
    silent = [
        f"{verb} {path}"
        for path, operations in described["paths"].items()
        for verb, operation in operations.items()
        if not path.startswith(OPEN) and not {"401", "403"} <= set(operation["responses"])
    ]
    assert silent == []


def known(case):
    """Half of the made-up ids become one that exists."""
    for name, value in (case.path_parameters or {}).items():
        if sum(str(value).encode()) % 2:
            case.path_parameters[name] = "a"
