"""Filters on an event's data, by table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.kernel.flow.errors import InvalidInput
from webhooks.engine import filters

pytestmark = pytest.mark.pure


def matches(conditions: dict[str, Any], data: Any) -> bool:
    return filters.match(filters.compile(conditions), data)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ({"$lt": 3600}, 3599, True),
        ({"$lt": 3600}, 3600, False),
        ({"$lt": 3600}, "3599", False),
        ({"$lt": 3600}, None, False),
        ({"$lt": 3600}, True, False),
        ({"$lt": 3600}, [1], False),
        ({"$lte": 5}, 5, True),
        ({"$lte": 5}, 5.1, False),
        ({"$gt": 5}, 5, False),
        ({"$gt": 5}, 6, True),
        ({"$gte": 5}, 5.0, True),
        ({"$gte": 5, "$lt": 10}, 10, False),
        ({"$gt": "2026-01-01"}, "2026-01-02", True),
        ({"$gt": "2026-01-01"}, 20260102, False),
        ({"$in": ["high", "premium"]}, "high", True),
        ({"$in": ["high", "premium"]}, "low", False),
        ({"$in": ["high"]}, ["low", "high"], True),
        ({"$in": ["high"]}, [], False),
        ({"$in": [1]}, True, False),
        ({"$nin": ["high"]}, "low", True),
        ({"$nin": ["high"]}, "high", False),
        ({"$eq": 1}, 1.0, True),
        ({"$eq": 1}, True, False),
        ({"$eq": None}, None, True),
        ({"$eq": {"a": [1]}}, {"a": [1]}, True),
        ({"$eq": {"a": [1]}}, {"a": [True]}, False),
        ({"$ne": 1}, 2, True),
        ({"$ne": 1}, 1, False),
        ({"$exists": True}, None, True),
        ({"$exists": False}, 1, False),
        ({"$not": {"$lt": 5}}, 6, True),
        ({"$not": {"$lt": 5}}, 4, False),
        (5, 5, True),
        (5, "5", False),
    ],
)
def test_each_operator_compares_values_of_its_own_kind_only(condition: Any, value: Any, expected: bool) -> None:
    assert matches({"x": condition}, {"x": value}) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"$lt": 5}, False),
        ({"$in": [None]}, False),
        ({"$eq": None}, False),
        ({"$exists": True}, False),
        ({"$exists": False}, True),
        ({"$ne": 1}, True),
        ({"$nin": [1]}, True),
    ],
)
def test_a_missing_value_holds_only_where_absence_is_meant(condition: Any, expected: bool) -> None:
    assert matches({"x": condition}, {"y": 1}) is expected


@pytest.mark.parametrize(("duration", "quality", "expected"), [(3599, "high", True), (3600, "high", False), (3599, "low", False)])
def test_all_conditions_of_the_sources_example_must_hold(duration: int, quality: str, expected: bool) -> None:
    conditions = {"video_duration": {"$lt": 3600}, "processing_quality": {"$in": ["high", "premium"]}}
    assert matches(conditions, {"video_duration": duration, "processing_quality": quality}) is expected


def test_a_plain_name_is_also_looked_for_in_metadata() -> None:
    data = {"video_id": "v", "metadata": {"video_duration": 10}}
    assert matches({"metadata.video_duration": {"$lt": 20}}, data)
    assert matches({"video_duration": {"$lt": 20}}, data)


def test_a_name_at_the_top_hides_the_one_in_metadata() -> None:
    assert not matches({"duration": {"$lt": 20}}, {"duration": 30, "metadata": {"duration": 10}})


def test_dotted_paths_go_through_objects_and_lists() -> None:
    assert matches({"items.1.price": 7}, {"items": [{"price": 5}, {"price": 7}]})
    assert not matches({"items.9.price": 7}, {"items": []})
    assert matches({"a.b": 1}, {"a.b": 1})


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"$or": [{"x": 1}, {"x": 2}]}, True),
        ({"$or": [{"x": 1}, {"x": 3}]}, False),
        ({"$and": [{"x": {"$gt": 1}}, {"x": {"$lt": 3}}]}, True),
        ({"$not": {"x": 2}}, False),
        ({"$not": {"$or": [{"x": 1}, {"x": 3}]}}, True),
        ({}, True),
    ],
)
def test_conditions_can_be_joined(conditions: dict[str, Any], expected: bool) -> None:
    assert matches(conditions, {"x": 2}) is expected


@pytest.mark.parametrize("data", [None, 5, "text", [1, 2], True])
def test_data_that_are_no_object_never_match_and_never_raise(data: Any) -> None:
    assert not matches({"x": {"$lt": 5}}, data)


@pytest.mark.parametrize(
    ("conditions", "named"),
    [
        ({"x": {"$foo": 1}}, "$foo"),
        ({"x": {"$lt": 1, "plain": 2}}, "plain"),
        ({"$foo": []}, "$foo"),
        ({"x": {"$in": "high"}}, "$in"),
        ({"x": {"$lt": None}}, "$lt"),
        ({"x": {"$gte": True}}, "$gte"),
        ({"x": {"$exists": 1}}, "$exists"),
        ({"$or": []}, "$or"),
        ({"$and": {"x": 1}}, "$and"),
        ({"x": {"$regex": "a+"}}, "$regex"),
        ({"": 1}, "path"),
        ([], "object"),
    ],
)
def test_a_mistake_is_refused_with_a_sentence_that_names_it(conditions: Any, named: str) -> None:
    [sentence] = filters.validate(conditions)
    assert named in sentence
    with pytest.raises(InvalidInput) as refused:
        filters.compile(conditions)
    assert refused.value.fields == {"filter_conditions": [sentence]}


def test_depth_number_and_size_are_bounded() -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(9):
        deep = {"$not": deep}
    assert "nested" in filters.validate(deep)[0]
    deeper: dict[str, Any] = {"$lt": 1}
    for _ in range(20):
        deeper = {"$not": deeper}
    assert "nested" in filters.validate({"x": deeper})[0]
    assert "tests" in filters.validate({f"x{number}": 1 for number in range(201)})[0]
    assert "bytes" in filters.validate({"x": "a" * 20_000})[0]


def test_conditions_nested_past_what_json_can_hold_are_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = {"x": deep}
    assert "JSON" in filters.validate(deep)[0]


def test_explain_shows_every_part_with_its_value() -> None:
    wanted = filters.compile({"amount": {"$gt": 100}, "kind": {"$in": ["a"]}})
    parts = filters.explain(wanted, {"amount": 50})
    assert [(part.path, part.value, part.is_missing, part.holds) for part in parts] == [
        ("amount", 50, False, False),
        ("kind", None, True, False),
    ]
    assert parts[0].text == "amount $gt 100: 50, does not hold"
    assert parts[1].text == 'kind $in ["a"]: missing, does not hold'


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"a": 1, "video_duration": {"$lt": 5}}, "filter on video_duration"),
        ({"b": 1, "c": 2}, "filter on b, c"),
        ({"$or": [{"b": 1}, {"c": 2}]}, "filter on b, c"),
        ({"a": 1}, ""),
    ],
)
def test_the_reason_names_the_paths_that_stopped_the_event(conditions: dict[str, Any], said: str) -> None:
    assert filters.reason(filters.compile(conditions), {"a": 1, "video_duration": 9}) == said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "metadata"]), inner, max_size=3),
    max_leaves=8,
)
OPERATORS = st.sampled_from(["$eq", "$ne", "$lt", "$lte", "$gt", "$gte", "$in", "$nin", "$exists", "$bad"])


@given(operator=OPERATORS, operand=JSON, data=JSON)
def test_whatever_is_accepted_answers_true_or_false(operator: str, operand: Any, data: Any) -> None:
    conditions = {"x": {operator: operand}}
    if not filters.validate(conditions):
        wanted = filters.compile(conditions)
        assert filters.match(wanted, data) in (True, False)
        assert (filters.reason(wanted, data) == "") is filters.match(wanted, data)
