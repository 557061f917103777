"""Conditions: the spellings of the requirement, what a part says, three values, how long."""

import time

import pytest

from config.acts.language import conditions
from config.acts.language.checking import EVERYTHING
from config.kernel.language.facts import Fact
from tests.acts.catalogue import FACTS, VALUES

pytestmark = pytest.mark.pure


def judge(source, values=VALUES):
    return conditions.evaluate(conditions.check(source, FACTS), values)


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        ("cpu_usage > 80 AND duration > 5m", False),
        ("cpu_usage > 72 AND duration > 5m", True),
        ("traffic_pattern == 'bot'", True),
        ('traffic_pattern == "bot"', True),
        ("traffic_pattern != 'bot'", False),
        ("predicted_traffic_increase > 50%", True),
        ("predicted_traffic_increase > 51 %", False),
        ("is_peak", True),
        ("NOT is_peak", False),
        ("!is_peak", False),
        ("not not is_peak", True),
        ("is_peak == false", False),
        ("true == is_peak", True),
        ("cpu_usage > 72 and is_peak", True),
        ("cpu_usage > 72 && !is_peak", False),
        ("cpu_usage > 80 || is_peak", True),
        ("cpu_usage > 80 Or memory_usage >= 80", True),
        ("is_peak or is_peak and cpu_usage > 80", True),
        ("(is_peak or is_peak) and cpu_usage > 80", False),
        ("memory_usage == 80", True),
        ("memory_usage <= 80.0", True),
        ("memory_usage < 8e1", False),
        ("80 < memory_usage", False),
        ("response_time > 2999ms", True),
        ("response_time >= 3s", True),
        ("response_time < 1m AND response_time < 1h AND response_time < 1d AND response_time < 1w", True),
        ("memory_used > 2GB AND memory_used < 3GiB", True),
        ("memory_used / memory_limit > 0.7", True),
        ("memory_used + 1GB >= memory_limit", True),
        ("memory_used * 2 - memory_limit == 2GB", True),
        ("(memory_used - 1GB) / 2 == 1GB", True),
        ("memory_used > -5", True),
        ("queues.default.depth >= 7", True),
        ("queues['my-queue'].depth == 9", True),
        ("traffic_pattern in ['bot', 'crawler']", True),
        ("traffic_pattern not in ['bot', 'crawler']", False),
        ("NOT traffic_pattern in ['human']", True),
        ("cpu_usage in [72.4, 5]", True),
        ("memory_usage IN [80]", True),
        ("'bug' in labels", True),
        ("'x' in labels", False),
        ("7 in labels", True),
        ("'urgent' not in data.labels", False),
        ("size(labels) == 3", True),
        ("labels.size() > 3", False),
        ("size(data.pull_request.title) > 5", True),
        ("traffic_pattern.startsWith('b') AND traffic_pattern.endsWith('t') AND traffic_pattern.contains('o')", True),
        ("traffic_pattern.matches('^b.t$')", True),
        ("traffic_pattern.matches('^b$')", False),
        ("data.pull_request.draft", False),
        ("data.pull_request.draft == false", True),
        ("data.pull_request.number > 11", True),
        ("data.pull_request.title.startsWith('Fix')", True),
        ("'Fix the pump today'.contains(data.pull_request.title)", True),
        ("data.commits[1].message == 'two'", True),
        ("data.in == 'word' AND data['a-b'] == 1", True),
        ("data.id == 9007199254740993", True),
        ("data.id == 9007199254740992", False),
        ("data.id in [9007199254740992]", False),
        ("data.pull_request.number / 5 > 2.3", True),
        ("event.type == 'error.occurred'", True),
        ("payload.deep[0].er == 'yes'", True),
        ("has(data.id)", True),
        ("has(data.nothing) OR has(data.not_there.at_all)", False),
        ("NOT has(data.nothing)", True),
    ],
)
def test_a_condition_says_what_it_reads_like(source, truth):
    assert judge(source).truth is truth


@pytest.mark.parametrize(
    "source",
    [
        "traffic_pattern == 'AND OR NOT duration > 5m (50%'",
        'traffic_pattern == "it\'s && || !"',
        r"traffic_pattern == 'a\'b\\c\n'",
        "traffic_pattern == ''",
        "traffic_pattern == 'ü🙂'",
    ],
)
def test_quoted_text_is_left_alone(source):
    condition = conditions.check(source, FACTS)
    typed = {"'AND": "AND OR NOT duration > 5m (50%", '"it': "it's && || !", r"'a\'": "a'b\\c\n", "''": "", "'ü": "ü🙂"}
    value = next(value for start, value in typed.items() if source.partition("== ")[2].startswith(start))
    assert (condition.for_seconds, len(condition.leaves)) == (0, 1)
    assert conditions.evaluate(condition, {"traffic_pattern": value}).truth is True
    assert conditions.evaluate(condition, {"traffic_pattern": value + "."}).truth is False


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("cpu_usage > 80", "cpu_usage = 72.4 %, needs > 80 → false"),
        ("80 <  cpu_usage", "cpu_usage = 72.4 %, needs > 80 → false"),
        ("queue_depth > 3", "queue_depth: not known → unknown"),
        ("data.nothing > 3", "data.nothing: not known → unknown"),
        ("data.id == 'x'", "data.id is a number, needs text → unknown"),
        ("data.pull_request > 3", "data.pull_request is a map of 3, needs a number → unknown"),
        ("data.pull_request.title", "data.pull_request.title is text, needs true or false → unknown"),
        ("data.id == data.in", "data.id and data.in are of different kinds → unknown"),
        ("not is_peak", "is_peak = true, needs false → false"),
        ("not cpu_usage > 80", "cpu_usage = 72.4 %, needs not > 80 → true"),
        ("response_time>500ms", "response_time = 3 s, needs > 500ms → true"),
        ("predicted_traffic_increase > 50%", "predicted_traffic_increase = 51 %, needs > 50% → true"),
        (
            "memory_used > memory_limit - 1GB",
            "memory_used = 3000000000 bytes, needs > memory_limit - 1GB (memory_limit = 4000000000) → false",
        ),
        (
            "memory_used / memory_limit > 0.5",
            "memory_used / memory_limit = 0.75, needs > 0.5 (memory_used = 3000000000, memory_limit = 4000000000) → true",
        ),
        ("memory_used / data.zero > 1", "memory_used / data.zero > 1: the sum has no value → unknown"),
        ("size(labels) > 3", "size(labels) = 3, needs > 3 → false"),
        ("'q' in labels", "labels = a list of 3, needs to hold 'q' → false"),
        ("traffic_pattern.startsWith('x')", "traffic_pattern = bot, needs startsWith('x') → false"),
        ("'robot'.endsWith(traffic_pattern)", "traffic_pattern = bot, needs 'robot'.endsWith(it) → true"),
        ("has(data.nothing)", "has(data.nothing) = false, needs true → false"),
    ],
)
def test_a_part_says_why(source, sentence):
    assert judge(source).sentence == sentence


def test_a_part_gives_text_value_need_unit_and_truth():
    part = judge("is_peak AND  cpu_usage>80").parts[1]
    assert (part.text, part.value, part.needs, part.unit, part.truth) == ("cpu_usage>80", 72.4, "> 80", "%", False)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("is_peak OR (cpu_usage  > 80)", "cpu_usage  > 80"),
        ("is_peak OR ((memory_used + 1) * 2) > (memory_limit - 1)", "((memory_used + 1) * 2) > (memory_limit - 1)"),
        ("is_peak OR not (cpu_usage  > 80)", "NOT cpu_usage > 80"),
    ],
)
def test_the_text_of_a_part_is_whole(source, text):
    assert judge(source).parts[1].text == text


@pytest.mark.parametrize(
    "source",
    [
        "data.n / data.zero != 0",
        "1 / (data.n / data.zero) == 0",
        "data.big * data.big > 1",
        "data.big * data.big - data.big * data.big != 0",
        "data.zero / data.zero != 1",
    ],
)
def test_a_sum_without_a_value_is_unknown(source):
    assert judge(source, {"data": {"n": 1, "zero": 0, "big": 1e308}}).truth is None


def test_a_part_is_stored_as_plain_json():
    assert judge("cpu_usage>80 AND queue_depth > 3").record() == [
        {
            "text": "cpu_usage>80",
            "value": 72.4,
            "needs": "> 80",
            "unit": "%",
            "truth": False,
            "sentence": "cpu_usage = 72.4 %, needs > 80 → false",
        },
        {
            "text": "queue_depth > 3",
            "value": None,
            "needs": "> 3",
            "unit": "",
            "truth": None,
            "sentence": "queue_depth: not known → unknown",
        },
    ]


def test_every_part_is_judged_even_when_the_first_decides():
    judged = judge("queue_depth > 3 OR is_peak OR cpu_usage > 80")
    assert (judged.truth, [part.truth for part in judged.parts]) == (True, [None, True, False])


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf"), 10**400, "81", True, [81], {"a": 81}, object(), b"81"])
def test_what_is_no_number_is_unknown_and_does_not_fire(value):
    judged = judge("cpu_usage > 80", {"cpu_usage": value})
    assert (judged.truth, judged.parts[0].truth) == (None, None)
    assert judged.sentence.startswith("cpu_usage")
    assert judged.sentence.endswith("→ unknown")


@pytest.mark.parametrize(
    ("source", "truth"),
    [
        ("queue_depth > 3 AND cpu_usage > 80", False),
        ("queue_depth > 3 AND is_peak", None),
        ("queue_depth > 3 OR is_peak", True),
        ("queue_depth > 3 OR cpu_usage > 80", None),
        ("NOT queue_depth > 3", None),
        ("NOT (queue_depth > 3 AND cpu_usage > 80)", True),
    ],
)
def test_unknown_joins_as_kleene_says(source, truth):
    assert judge(source).truth is truth


@pytest.mark.parametrize(
    ("source", "seconds", "text"),
    [
        ("cpu_usage > 80 AND duration > 5m", 300, "cpu_usage > 80 AND duration > 5m"),
        ("duration >= 90s and cpu_usage > 80", 90, "cpu_usage > 80 AND duration >= 90s"),
        ("cpu_usage > 80 && (is_peak && duration > 1.5h)", 5400, "cpu_usage > 80 AND is_peak AND duration > 1.5h"),
        ("(is_peak OR cpu_usage > 80) AND duration > 500ms", 0.5, "(is_peak OR cpu_usage > 80) AND duration > 500ms"),
        ("cpu_usage > 80", 0, "cpu_usage > 80"),
    ],
)
def test_duration_says_how_long_the_rest_must_hold(source, seconds, text):
    condition = conditions.check(source, FACTS)
    assert (condition.for_seconds, condition.text) == (seconds, text)
    assert "duration" not in condition.names
    again = conditions.check(condition.text, FACTS)
    assert (again.for_seconds, again.text) == (seconds, text)


def test_a_field_called_duration_is_a_field():
    condition = conditions.check("data.duration > 5m", FACTS)
    assert condition.for_seconds == 0
    assert condition.names == {"data.duration"}


def test_names_are_those_the_condition_uses():
    condition = conditions.check("cpu_usage > 80 OR data.commits[0]['a b'] == 'x' OR has(queues.default.depth)", FACTS)
    assert condition.names == {"cpu_usage", "data.commits[0]['a b']", "queues.default.depth"}


def test_only_the_names_of_a_condition_are_looked_at():
    class Watched(dict):
        asked: set[str] = set()

        def __contains__(self, key):
            self.asked.add(key)
            return super().__contains__(key)

    values = Watched(VALUES)
    judge("cpu_usage > 80 AND queues.default.depth > 3", values)
    assert values.asked == {"cpu_usage", "queues.default.depth"}


def test_flat_and_nested_values_are_found_alike():
    source = "queues.default.depth > 3"
    assert judge(source, {"queues.default.depth": 4}).truth is True
    assert judge(source, {"queues": {"default": {"depth": 4}}}).truth is True
    assert judge(source, {"queues.default": {"depth": 4}}).truth is True


def test_the_same_condition_is_made_once_and_anew_when_its_names_change():
    source = "cpu_usage > 81"
    first = conditions.check(source, FACTS)
    assert conditions.check(source, {**FACTS, "other": Fact("other")}) is first
    changed = conditions.check(source, {**FACTS, "cpu_usage": Fact("cpu_usage", "number", "s")})
    assert changed is not first
    assert conditions.evaluate(changed, VALUES).parts[0].unit == "s"


def test_with_everything_open_any_name_will_do():
    condition = conditions.check("whatever.name > 3", {}, open_paths=EVERYTHING)
    assert conditions.evaluate(condition, {"whatever": {"name": 4}}).truth is True


def test_a_thousand_conditions_are_judged_fast():
    """Measured 6 ms here (decision 0007); the wall is far off, so that a busy machine does not fail it, and a slow engine does."""
    made = [conditions.check(f"cpu_usage > {number}", FACTS) for number in range(1000)]
    best = min(_seconds(made) for _ in range(5))
    assert best < 0.06


def _seconds(made):
    start = time.perf_counter()
    for condition in made:
        assert conditions.evaluate(condition, VALUES).parts
    return time.perf_counter() - start
