"""What is refused when a condition is saved, and the sentence a person reads."""

import pytest

from config.acts.language import conditions
from config.kernel.flow.errors import InvalidInput
from tests.acts.catalogue import FACTS

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("source", "place", "what"),
    [
        ("cpu_usage > 5m", 1, "cpu_usage is measured in %, 5m is a length of time."),
        ("response_time > 50%", 1, "response_time is measured in s, 50% is a percentage."),
        ("queue_depth > 50%", 1, "queue_depth is a plain count, 50% is a percentage."),
        ("response_time < 2GB", 1, "response_time is measured in s, 2GB is a number of bytes."),
        ("cpu_usage > response_time", 1, "cpu_usage is measured in %, response_time is measured in s."),
        ("cpu_usage + response_time > 3", 1, "cpu_usage is measured in %, response_time is measured in s."),
        ("is_peak AND cpu_usage in [5m]", 13, "cpu_usage is measured in %, 5m is a length of time."),
        ("size(labels) > 5m", 1, "size(labels) is a plain count, 5m is a length of time."),
        ("cpu_usage > 'high'", 1, "cpu_usage is a number, 'high' is text."),
        ("traffic_pattern == 5", 1, "traffic_pattern is text, 5 is a number."),
        ("is_peak == 1", 1, "is_peak is true or false, 1 is a number."),
        ("is_peak > false", 1, "true and false have no order. Compare them with == or !=."),
        ("labels == 'x'", 1, "labels is a list, 'x' is text."),
        ("labels == labels", 1, "a list is not compared. Ask 'x' in list, or size(list) > 0."),
        ("cpu_usage", 1, "cpu_usage is a number. Compare it, as in cpu_usage > 80."),
        ("is_peak OR traffic_pattern", 12, "traffic_pattern is text. Compare it, as in traffic_pattern == 'x'."),
        ("cpu_usag > 80", 1, "cpu_usag is not a known name. Did you mean cpu_usage?"),
        ("queues.defualt.depth > 80", 1, "queues.defualt.depth is not a known name. Did you mean queues.default.depth?"),
        ("has(cpu_usag)", 5, "cpu_usag is not a known name. Did you mean cpu_usage?"),
        ("cpu_usage.peak > 80", 1, "cpu_usage.peak is not a known name. Did you mean cpu_usage?"),
        ("traffic_pattern == bot", 20, "bot is not a known name. If it is meant as text, write 'bot' in quotes."),
        ("cpu_usage in ['a']", 15, "cpu_usage is a number, 'a' is text."),
        ("traffic_pattern in ['a', 5]", 26, "traffic_pattern is text, 5 is a number."),
        ("data.x in ['a', 5]", 17, "the list mixes kinds. Write numbers only, or texts only."),
        ("data.x in []", 11, "the list is empty."),
        ("data.x in [cpu_usage]", 12, "a list holds numbers and quoted texts only."),
        ("'a' in cpu_usage", 8, "right of in stands a list: ['a', 'b'], or a name that is one."),
        ("cpu_usage = 80", 11, "write == to compare."),
        ("cpu_usage > 5min", 13, "“min” is no unit. Known are %, ms, s, m, h, d, w, kB, MB, GB, TB, KiB, MiB, GiB, TiB."),
        ("1 < cpu_usage < 3", 15, "compare two things at a time, and join comparisons with AND."),
        ("data.x == null", 11, "nothing compares with null. Ask whether a name has a value with has(name)."),
        ("traffic_pattern == 'x", 20, "the quoted text has no end."),
        ("traffic_pattern == \u2018x\u2019", 20, "write straight quotes, ' or \"."),
        ("traffic_pattern == 'a\\q'", 20, "behind a backslash stands n, r, t, a quote or a second backslash."),
        ("traffic_pattern == 'a\0'", 20, "the text holds a sign that cannot be stored."),
        ("${cpu_usage} > 3", 1, "a name stands here without ${ }."),
        ("cpu_usage > 80 80", 16, "this does not follow from what stands before it. Join conditions with AND or OR."),
        ("cpu_usage > AND is_peak", 13, "a name, a number or a quoted text is missing here."),
        ("cpu_usage > 1e999", 13, "the number is too large."),
        ("data.id == 9223372036854775808", 12, "the number is too large."),
        (f"data.id == 1{'0' * 400}", 12, "the number is too large."),
        ("(cpu_usage > 3) == true", 2, "a comparison, AND, OR or NOT cannot stand inside a comparison or a sum."),
        ("(is_peak AND is_peak) + 1 > 2", 2, "a comparison, AND, OR or NOT cannot stand inside a comparison or a sum."),
        ("1 == 1", 1, "no name stands in this part, so it would always say the same."),
        ("true", 1, "no name stands in this part, so it would always say the same."),
        ("traffic_pattern + 'x' == 'botx'", 1, "traffic_pattern is text, and + works on numbers."),
        ("-cpu_usage < 3", 2, "a minus belongs before a number. Write 0 - x for the opposite of x."),
        ("labels.contains('bug')", 1, "contains works on text, labels is a list. Ask 'x' in list."),
        ("traffic_pattern.matches('(')", 25, "this is no pattern (RE2: no look-around, no back-references)."),
        ("traffic_pattern.matches(data.pattern)", 25, "the pattern of matches stands in quotes."),
        ("traffic_pattern.lower() == 'x'", 17, "there is no lower. Known are startsWith, endsWith, contains, matches and size."),
        ("size(cpu_usage) > 1", 1, "cpu_usage is a number and has no size."),
        ("has(cpu_usage + 1)", 1, "has() asks about a name."),
        ("cpu_usage > 80 OR duration > 5m", 19, "duration says how long all the rest must be true: write it once, AND duration > 5m."),
        ("is_peak AND NOT duration > 5m", 17, "duration says how long all the rest must be true: write it once, AND duration > 5m."),
        (
            "is_peak AND (is_peak OR duration > 5m)",
            25,
            "duration says how long all the rest must be true: write it once, AND duration > 5m.",
        ),
        ("is_peak AND duration < 5m", 13, "duration is compared with > and a length of time, such as duration > 5m."),
        ("is_peak AND duration == 5m", 13, "duration is compared with > and a length of time, such as duration > 5m."),
        ("is_peak AND duration > 300", 13, "duration is compared with > and a length of time, such as duration > 5m."),
        ("is_peak AND duration > 0s", 24, "duration is more than nothing and at most 366d."),
        ("is_peak AND duration > 400d", 24, "duration is more than nothing and at most 366d."),
        ("is_peak AND duration > 5m AND duration > 6m", 31, "duration stands in a condition once."),
        ("duration > 5m", 1, "this says how long, but not what must be true. Write cpu_usage > 80 AND duration > 5m."),
    ],
)
def test_a_wrong_condition_is_told_where_and_why(source, place, what):
    with pytest.raises(InvalidInput) as caught:
        conditions.check(source, FACTS)
    where, _, sentence = caught.value.message.partition(": ")
    assert where.startswith(f"At character {place}, near “")
    assert (sentence, caught.value.code) == (what, "invalid_condition")


@pytest.mark.parametrize("source", ["", "   \n"])
def test_no_condition_is_refused(source):
    with pytest.raises(InvalidInput, match=r"there is no condition\. Write one, such as cpu_usage > 80"):
        conditions.check(source, FACTS)


@pytest.mark.parametrize("source", ["(cpu_usage > 80", "data.x in ['a'", "cpu_usage >"])
def test_an_end_that_comes_too_early_is_named(source):
    with pytest.raises(InvalidInput, match=r"At the end: a .*missing here"):
        conditions.check(source, FACTS)


@pytest.mark.parametrize(
    "word", ["lambda", "__import__('os')", "data.__class__.__init__()", "[x for x in labels]", "{}", "data.map(x, x)", "x ? y : z"]
)
def test_nothing_of_a_programming_language_gets_through(word):
    with pytest.raises(InvalidInput):
        conditions.check(f"{word} == 1", FACTS)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("cpu_usage > 80" + " " * 2100, "longer than 2048 bytes"),
        ("traffic_pattern == '" + "ü" * 1100 + "'", "longer than 2048 bytes"),
        (" OR ".join(["is_peak"] * 65), "more than 64 parts"),
        ("(" * 33 + "is_peak" + ")" * 33, "nested deeper than 32"),
        ("(" * 2000, "nested deeper than 32"),
        ("NOT " * 500 + "is_peak", "nested deeper than 32"),
        ("!" * 2000, "nested deeper than 32"),
        ("size(" * 300, "nested deeper than 32"),
        ("cpu_usage" + " + 1" * 25 + " > 3", "more than 24 steps of arithmetic"),
        ("(" * 16 + "cpu_usage" + ("+1" * 30 + ")") * 16 + " > 3", "more than 24 steps of arithmetic"),
        ("data.x in [" + "1," * 65 + "1]", "the list is longer than 64"),
        (" + ".join(f"data.x{n}" for n in range(9)) + " > 3", "more than 8 names"),
    ],
)
def test_the_caps_hold(source, what):
    with pytest.raises(InvalidInput, match=what):
        conditions.check(source, FACTS)


@pytest.mark.parametrize(
    "source",
    [
        " OR ".join(["is_peak"] * 64),
        "1 / (" * 24 + "data.x" + ")" * 24 + " > 3",
        "data.x" + " + 1" * 24 + " > 3",
        "(" * 32 + "is_peak" + ")" * 32,
        "data.x in [" + "1," * 63 + "1]",
    ],
)
def test_what_is_just_within_the_caps_is_taken(source):
    assert conditions.check(source, FACTS).leaves
