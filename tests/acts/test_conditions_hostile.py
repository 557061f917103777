"""Random and hostile sources and data: nothing but InvalidInput when read, nothing at all when judged, and the logic is Kleene's."""

import math
import time
from decimal import Decimal

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from config.acts.language import conditions, reading, tree
from config.acts.language.checking import EVERYTHING
from config.kernel.flow.errors import InvalidInput
from config.kernel.language.facts import Fact
from tests.acts.catalogue import FACTS

pytestmark = pytest.mark.pure
quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)

WORDS = (
    "cpu_usage is_peak traffic_pattern labels data.x data.y[0] data['a b'] queue_depth duration 5m 50% 3 -2.5 2GB 'bot' \"x\" '' "
    "true false null AND OR NOT and or not && || ! == != < <= > >= = in [ ] ( ) , . + - * / size has startsWith matches contains "
    "['a'] [1] ${ \\ ü \0 \ud800"
).split(" ")
sources = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), st.binary(max_size=40).map(str))

numbers = ["cpu_usage", "queue_depth", "data.x", "data.y[0]", "3", "2.5", "-4", "(cpu_usage + 1)", "data.x / 2", "size(labels)"]
texts = ["traffic_pattern", "data.x", "'bot'", "'it\\'s'", "''"]
comparisons = st.one_of(
    st.tuples(st.sampled_from(numbers), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.sampled_from(numbers)).map(" ".join),
    st.tuples(st.sampled_from(texts), st.sampled_from(["==", "!=", "<"]), st.sampled_from(texts)).map(" ".join),
    st.sampled_from(
        ["is_peak", "has(data.x)", "'a' in labels", "data.x in [1, 2]", "traffic_pattern.contains('o')", "data.x not in ['b']"]
    ),
)
right = st.recursive(
    comparisons,
    lambda below: st.one_of(
        below.map(lambda one: f"NOT {one}" if one[0] == "(" else f"NOT ({one})"),
        st.tuples(st.lists(below, min_size=2, max_size=4), st.sampled_from([" AND ", " OR ", " && ", " or "])).map(
            lambda made: "(" + made[1].join(made[0]) + ")"
        ),
    ),
    max_leaves=8,
)

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(st.characters(codec=None), max_size=20),
    st.decimals(),
    st.binary(max_size=5),
)
anything = st.recursive(
    plain, lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(st.text(max_size=5), below, max_size=4)), max_leaves=8
)


@quick
@given(sources)
def test_any_source_is_taken_or_refused_with_a_sentence(source):
    try:
        condition = conditions.check(source, FACTS)
    except InvalidInput as error:
        said = error.message
    else:
        said = f"{condition.text}."
        assert condition.leaves
    assert said.encode().endswith((b".", b"?"))


@quick
@given(right)
def test_a_condition_written_out_reads_back_as_itself(source):
    try:
        condition = conditions.check(source, FACTS)
    except InvalidInput:
        assume(False)
    again = conditions.check(condition.text, FACTS)
    assert (again.text, again.names, again.shape) == (condition.text, condition.names, condition.shape)
    assert reading.read(condition.text) == reading.read(source)


@quick
@given(
    st.recursive(
        st.sampled_from(["a", "b", "c", "d"]),
        lambda below: st.one_of(st.tuples(st.just("not"), below), st.tuples(st.sampled_from(["and", "or"]), below, below)),
        max_leaves=10,
    ),
    st.fixed_dictionaries({name: st.sampled_from([True, False, None]) for name in "abcd"}),
)
def test_three_values_join_like_the_truth_table(formula, values):
    condition = conditions.check(_source(formula), {name: Fact(name, "flag") for name in "abcd"})
    assert conditions.evaluate(condition, values).truth is _model(formula, values)


def _source(formula):
    if isinstance(formula, str):
        return formula
    if formula[0] == "not":
        return f"NOT ({_source(formula[1])})"
    return f"({_source(formula[1])}) {formula[0]} ({_source(formula[2])})"


TABLE = {
    ("and", True, True): True, ("and", True, False): False, ("and", True, None): None,
    ("and", False, True): False, ("and", False, False): False, ("and", False, None): False,
    ("and", None, True): None, ("and", None, False): False, ("and", None, None): None,
    ("or", True, True): True, ("or", True, False): True, ("or", True, None): True,
    ("or", False, True): True, ("or", False, False): False, ("or", False, None): None,
    ("or", None, True): True, ("or", None, False): None, ("or", None, None): None,
}  # fmt: skip


def _model(formula, values):
    if isinstance(formula, str):
        return values[formula]
    if formula[0] == "not":
        return {True: False, False: True, None: None}[_model(formula[1], values)]
    return TABLE[formula[0], _model(formula[1], values), _model(formula[2], values)]


EVERY = [
    conditions.check(source, FACTS)
    for source in (
        "cpu_usage > 80 AND traffic_pattern == 'x' AND is_peak AND 'a' in labels AND size(labels) > 2",
        "data.x == data.y OR data.x > 3 OR data.x < data.y OR data.x in [1, 2] OR data.x in ['a'] OR data.x in data.y",
        "data.x / data.y > 1 OR data.x.contains('a') OR data.x.matches('a+$') OR has(data.x.y[0]) OR size(data.x) > 1 OR data.x == 3",
        "data.x == true OR data.x OR traffic_pattern < data.x OR data.x * 2 + cpu_usage > 7",
    )
]


@quick
@given(
    st.dictionaries(st.sampled_from(["cpu_usage", "traffic_pattern", "is_peak", "labels", "data.x"]), anything),
    st.one_of(anything, st.fixed_dictionaries({"x": anything, "y": anything})),
)
def test_whatever_the_data_judging_answers(values, data):
    for condition in EVERY:
        judged = conditions.evaluate(condition, {**values, "data": data})
        assert judged.truth in (True, False, None)
        judged.sentence.encode()
        for part in judged.parts:
            orjson.dumps([part.value, part.sentence])
            assert len(str(part.value)) <= 400


@quick
@given(st.one_of(st.integers(), st.floats()), st.one_of(st.integers(-(2**60), 2**60), st.floats(-1e300, 1e300)))
def test_numbers_compare_as_numbers_do(value, limit):
    judged = conditions.evaluate(conditions.check(f"cpu_usage > {limit!r}", FACTS), {"cpu_usage": value})
    assert judged.truth is (float(value) > float(limit) if math.isfinite(value) else None)


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        ("data.x == 1", None),
        ("data == data.x", None),
        ("'a' in data.l", False),
        ("size(data) > 1", True),
        ("data.x == data.l", None),
        ("has(data.x.x)", True),
    ],
)
def test_a_hundred_thousand_levels_break_nothing(source, truth):
    """The engine itself ends the process on such a value; it never sees one."""
    condition = conditions.check(source, {}, open_paths=("data",))
    value: dict = {}
    levels = [value]
    for _ in range(100_000):
        value = {"x": value, "l": [value]}
        levels.append(value)
    assert conditions.evaluate(condition, {"data": value}).truth is truth
    for level in reversed(levels):  # taken apart by hand: a tower falls by recursion
        level.clear()


@pytest.mark.parametrize(
    "text",
    ["a" * 65_537, "a\0b", "\ud800", "a\udfffb"],
)
def test_text_that_the_engine_would_misread_is_unknown(text):
    judged = conditions.evaluate(
        conditions.check("traffic_pattern != 'a' OR data.x == data.y", FACTS), {"traffic_pattern": text, "data": {"x": text, "y": text}}
    )
    assert judged.truth is None
    assert "too long or cannot be stored" in judged.sentence


def test_a_long_list_is_unknown_not_slow():
    judged = conditions.evaluate(conditions.check("'a' in labels", FACTS), {"labels": ["a"] * 1_001})
    assert judged.sentence == "labels is a list of 1001, and at most 1000 are looked through → unknown"


@pytest.mark.parametrize("value", [Decimal("sNaN"), Decimal("Infinity"), Decimal("1e999"), 2**70, -(2**70), type("Odd", (), {})()])
def test_odd_numbers_are_unknown_or_compared(value):
    judged = conditions.evaluate(conditions.check("data.x > 3", FACTS), {"data": {"x": value}})
    assert judged.truth is {2**70: True, -(2**70): False}.get(value if isinstance(value, int) else 0)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)x", ".*a.{900}$", "(a|b)*a(a|b){90}$"])
def test_no_pattern_takes_long(pattern):
    condition = conditions.check(" OR ".join([f"traffic_pattern.matches('{pattern}')"] * 8), FACTS)
    start = time.perf_counter()
    judged = conditions.evaluate(condition, {"traffic_pattern": "ab" * 32_000})
    assert time.perf_counter() - start < 2
    assert judged.truth is not None


def test_what_a_fields_text_says_is_never_evaluated():
    condition = conditions.check("data.x == 'y'", {}, open_paths=EVERYTHING)
    assert conditions.evaluate(condition, {"data": {"x": "' || true || '"}}).truth is False


def test_the_tree_of_two_spellings_is_one():
    assert reading.read("a>3 && !(b=='x')") == reading.read('a > 3  AND NOT b == "x"')
    assert tree.write(reading.read("((a) > 3) and (b or (c and d))")) == "a > 3 AND (b OR c AND d)"
