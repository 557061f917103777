"""`${name}`: looked up, never evaluated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.acts.texts import paths
from config.kernel.flow.errors import InvalidInput
from tests.acts.catalogue import VALUES

pytestmark = pytest.mark.pure
STEPS = {"steps": {"build-1": {"output": {"size": 3}}}, "rows": [{"id": 1}, {"id": 2}]}
FACTS = {**VALUES, **STEPS}


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${cpu_usage}", 72.4),
        ("${is_peak}", True),
        ("${data.pull_request}", {"draft": False, "title": "Fix the pump", "number": 12}),
        ("${data.nothing}", None),
        ("${ cpu_usage }", 72.4),
        ("at ${cpu_usage} %", "at 72.4 %"),
        ("${traffic_pattern}${is_peak}", "bottrue"),
        (" ${cpu_usage}", " 72.4"),
        ("${data.labels} of ${data.pull_request.title}", '["bug","urgent"] of Fix the pump'),
        ("${queues.default.depth}", 7),
        ("${queues.my-queue.depth}", 9),
        ("${steps.build-1.output.size}", 3),
        ("${rows[1].id}", 2),
        ("${rows.1.id}", 2),
        ("${data['a-b']}", 1),
        ("$${cpu_usage}", "${cpu_usage}"),
        ("$$${cpu_usage}", "$${cpu_usage}"),
        ("5 $ and {braces} $x", "5 $ and {braces} $x"),
        ("", ""),
        (3, 3),
        (None, None),
        ({"${cpu_usage}": ["${cpu_usage}", {"deep": "n=${rows[0].id}"}, 5]}, {"${cpu_usage}": [72.4, {"deep": "n=1"}, 5]}),
    ],
)
def test_values_stand_where_their_paths_stood(value, filled):
    found = paths.fill(value, FACTS)
    assert (found, type(found)) == (filled, type(filled))


def test_what_was_put_in_is_not_looked_through_again():
    facts = {"a": "${secret}", "secret": "s3"}
    assert paths.fill(["${a}", "x ${a}"], facts) == ["${secret}", "x ${secret}"]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("${missing}", r"\$\{missing\} has no value here"),
        ({"a": [{"b": "x ${data.not.there}"}]}, r"\$\{data\.not\.there\} has no value here"),
        ("${rows[9].id}", "has no value here"),
        ("${traffic_pattern.upper}", "has no value here"),
        ("x ${data.nothing}", "is empty \\(null\\)"),
        ("${cpu_usage", "has no closing }"),
        ("${}", "is no path"),
        ("${a + b}", "is no path"),
        ("${a()}", "is no path"),
        ("${a..b}", "is no path"),
        ("${.a}", "is no path"),
        ("${[0]}", "is no path"),
        ("${a.b c}", "is no path"),
        ("x ${ ${cpu_usage} }", "has no closing }"),
    ],
)
def test_a_missing_value_or_a_wrong_path_is_named(value, what):
    with pytest.raises(InvalidInput, match=what):
        paths.fill(value, FACTS)


@pytest.mark.parametrize("path", ["__class__", "data.__class__", "traffic_pattern.__len__", "labels.append", "data.items", "data.get"])
def test_a_path_reaches_data_and_nothing_else(path):
    with pytest.raises(InvalidInput, match="has no value here"):
        paths.fill(f"${{{path}}}", FACTS)


def test_the_paths_of_parameters_are_listed_before_anything_runs():
    assert paths.names({"a": ["${ cpu_usage }", "x ${rows[0].id} $${no}"], "b": 3}) == {"cpu_usage", "rows[0].id"}
    with pytest.raises(InvalidInput, match="is no path"):
        paths.names(["${1+1}"])


def test_parameters_neither_sink_nor_swell():
    deep: list = []
    for _ in range(70):
        deep = [deep]
    with pytest.raises(InvalidInput, match="nested deeper than 64"):
        paths.fill(deep, {})
    with pytest.raises(InvalidInput, match="longer than 1000000 characters"):
        paths.fill(["x ${a}"] * 200, {"a": "b" * 10_000})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.sampled_from("${}ab.[]'0 -"), max_size=20))
def test_any_text_is_filled_or_refused(text):
    try:
        paths.names(text)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            paths.fill(text, {})
    else:
        if "${" not in text.replace("$${", ""):
            assert paths.fill(text, {}) == text.replace("$${", "${")


@pytest.mark.parametrize("value", ["x" * 10_000, {"text": "x" * 10_000}])
def test_a_value_that_is_named_again_and_again_counts_each_time(value):
    assert len(paths.fill(["${data}"] * 90, {"data": value})) == 90
    with pytest.raises(InvalidInput, match="longer than"):
        paths.fill(["${data}"] * 101, {"data": value})
