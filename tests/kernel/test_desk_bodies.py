"""What is sent to the API: nothing that nobody knows is taken, in any body and in any query."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework import serializers

from config.doors.bodies import Body
from tests.support.api import Caller

# Their bodies are the sender's, whatever is in them.
FREE = {"/in/{source}", "/api/v1/webhooks/github"}


class Inner(Body):
    """Something inside."""

    size = serializers.IntegerField()


class Outer(Body):
    """Something that holds others."""

    name = serializers.CharField()
    read = serializers.CharField(read_only=True)
    inner = Inner(many=True, required=False)


def errors_of(data: Any, **options: Any) -> Any:
    found = Outer(data=data, **options)
    found.is_valid()
    return found.errors


@pytest.mark.pure
@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"name": "a"}, {}),
        ({"name": "a", "nme": 1}, {"nme": ["There is no such field here. Did you mean name?"]}),
        ({"nme": 1}, {"nme": ["There is no such field here. Did you mean name?"], "name": ["This field is required."]}),
        ({"name": "a", "read": "b"}, {"read": ["There is no such field here. There are: name, inner."]}),
        (
            {"name": "a", "inner": [{"size": 1}, {"size": 2, "siz": 3}]},
            {"inner": {1: {"siz": ["There is no such field here. Did you mean size?"]}}},
        ),
    ],
)
def test_a_name_that_nobody_knows_is_named(data, wrong):
    assert errors_of(data) == wrong


@pytest.mark.pure
def test_a_part_of_a_body_is_judged_alike():
    assert set(errors_of({"nme": 1}, partial=True)) == {"nme"}


@pytest.mark.pure
def test_every_body_of_the_document_takes_no_names_but_its_own():
    document = SchemaGenerator().get_schema(public=True)
    open_ones = []
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                if path not in FREE and document["components"]["schemas"].get(name, {}).get("additionalProperties") is not False:
                    open_ones.append(f"{verb} {path}")
    assert open_ones == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/api/v1/automation/executions", {"statuss": "failed"}, "statuss"),
        ("/api/v1/automation/executions", {"is_shadow": "maybe"}, "is_shadow"),
        ("/api/v1/automation/queues", {"slug": "x"}, "slug"),
        ("/api/v1/webhooks/event-types", {"orign": "ours"}, "orign"),
        ("/api/autonomous/automation/executions", {"page": "2"}, "page"),
    ],
)
def test_a_filter_that_there_is_not_is_refused(path, query, field):
    answer = Caller().get(path, **query)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.django_db
def test_a_flag_is_true_or_false():
    for word in ("true", "false"):
        assert Caller().get("/api/v1/automation/executions", is_shadow=word).status_code == 200
