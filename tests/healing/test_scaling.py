"""How many there should be, and circles of dependencies: by tables."""

import pytest

from healing.engine import dependencies, scaling

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("current", "factor", "after"),
    [
        (4, 1.5, 6),
        (18, 1.5, 20),
        (20, 1.5, 20),
        (10, 1.3, 13),
        (3, 1.5, 5),
        (100, 1.1, 20),
        (4, 0.5, 2),
        (4, 0.1, 2),
        (1, 0.1, 2),
        (0, 2, 2),
    ],
)
def test_a_factor_is_rounded_up_and_kept_within_the_bounds(current, factor, after):
    assert scaling.plan(current=current, instances=None, factor=factor, least=2, most=20).after == after


def test_a_factor_that_a_float_would_put_just_above_is_not_rounded_up_once_more():
    assert scaling.plan(current=100, instances=None, factor=1.1, least=1, most=1000).after == 110


def test_a_number_needs_no_present_one_and_is_bounded_too():
    found = scaling.plan(current=None, instances=7, factor=None, least=1, most=5)
    assert (found.after, found.is_bounded, found.is_change) == (5, True, True)


def test_at_the_bound_there_is_no_change():
    found = scaling.plan(current=20, instances=None, factor=1.5, least=1, most=20)
    assert (found.is_change, found.is_bounded, found.asked) == (False, True, 30)


def test_a_factor_of_an_unknown_number_is_a_mistake():
    with pytest.raises(ValueError, match="how many"):
        scaling.plan(current=None, instances=None, factor=2, least=1, most=5)


@pytest.mark.parametrize(
    ("edges", "way"),
    [
        ({"a": ["b"], "b": ["c"]}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b", "c"], "b": ["d"], "c": ["a"]}, ["a", "c", "a"]),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, []),
        ({}, []),
    ],
)
def test_a_circle_is_found_from_where_one_stands(edges, way):
    assert dependencies.circle(edges, "a") == way
