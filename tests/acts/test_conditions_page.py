"""The page on conditions says what is so: its examples are read, its limits are the code's."""

import json
import re
from pathlib import Path

import pytest

from config.acts.language import conditions, literals, reading, tokens, values
from config.acts.language import engine as expressions
from config.acts.texts import paths, template
from tests.acts.catalogue import FACTS

pytestmark = pytest.mark.pure
PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "howto" / "conditions.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("source", [line for block in _blocks("text") for line in block.splitlines()])
def test_every_example_is_a_condition(source):
    assert conditions.check(source, FACTS).text


def test_the_example_of_parameters_is_filled():
    facts = {"data": {"queue": "mail"}, "queue_depth": 7, "cpu_usage": 72.4, "steps": {"build-1": {"output": {"url": "http://x"}}}}
    [example] = _blocks("json")
    assert paths.fill(json.loads(example), facts) == {"queue": "mail", "limit": 7, "note": "CPU at 72.4 %, see step http://x"}


def test_the_example_of_a_template_is_rendered():
    [example] = _blocks("django")
    facts = {"cpu_usage": 81.26, "data": {"commits": [{"message": "one"}]}}
    assert template.render(example, facts) == "Hot: 81.3 %\n- one\nOwner: nobody\n"
    assert template.render(example, {}) == "Nobody knows.\nNo commits.\nOwner: nobody\n"


def test_the_limits_of_the_page_are_those_of_the_code():
    limits = (
        f"{tokens.SOURCE_BYTES:,} bytes; {conditions.PARTS} parts; {reading.DEPTH} levels of parentheses; "
        f"{reading.ITEMS} items in a written list; {reading.SUMS} steps of arithmetic; "
        f"{expressions.PLACES} names of a part. Texts over {values.TEXT:,} characters and lists of over {values.LIST:,} items are unknown."
    )
    assert limits in PAGE
    assert f"{template.OUTPUT // 1024} kB, and loops after {template.STEPS:,} steps" in PAGE


def test_units_and_filters_of_the_page_are_those_of_the_code():
    assert [unit for unit in literals.UNITS if unit not in PAGE] == []
    assert [name for name in template._FILTERS if f"`{name}" not in PAGE] == []
