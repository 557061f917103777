"""Templates of messages: values by path, conditions, loops; bounded, and without a way to anything but data."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.acts.texts import template
from config.kernel.flow.errors import InvalidInput
from tests.acts.catalogue import VALUES

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("CPU is at {{ cpu_usage }} %.", "CPU is at 72.4 %."),
        ("{{cpu_usage}}", "72.4"),
        ("{{ queue_depth }} waiting", "not known waiting"),
        ("{{ data.nothing }}", "not known"),
        ("{{ queue_depth | default('none') }}", "none"),
        ("{{ queue_depth|default('') }}", ""),
        ("{{ traffic_pattern | upper }}", "BOT"),
        ("{{ data.labels | join }} {{ data.labels | join(' + ') }} {{ data.labels | length }}", "bug, urgent bug + urgent 2"),
        ("{{ cpu_usage | round }} {{ cpu_usage | round(1) }}", "72 72.4"),
        ("{{ data.pull_request.title | truncate(5) | lower }}", "fix …"),
        ("{{ data.labels }} {{ data.labels | json }}", '["bug","urgent"] ["bug","urgent"]'),
        ("{{ is_peak }}", "true"),
        ("{% if cpu_usage > 80 %}hot{% elif cpu_usage > 70 %}warm{% else %}cool{% endif %}", "warm"),
        ("{% if queue_depth > 80 %}hot{% else %}fine{% endif %}", "fine"),
        ("{% if traffic_pattern.matches('^b.{2}$') %}yes{% endif %}", "yes"),
        ("{% for x in data.labels %}[{{ x }}]{% endfor %}", "[bug][urgent]"),
        ("{% for c in data.commits %}{{ c.message }};{% if c.message == 'two' %}!{% endif %}{% endfor %}", "one;two;!"),
        ("{% for x in data.missing %}{{ x }}{% else %}nothing{% endfor %}", "nothing"),
        ("{% for p in payload %}{{ p.key }}={{ p.value }}{% endfor %}", 'deep=[{"er":"yes"}]'),
        ("{% for x in traffic_pattern %}{{ x }}{% endfor %}", ""),
        ("a{# a note #}b", "ab"),
        ("{ not a tag } {{", "{ not a tag } {{"),
        ("<b>{{ traffic_pattern }}</b>", "<b>bot</b>"),
    ],
)
def test_a_template_reads_like_its_text(text, result):
    assert template.render(text, VALUES) == result


def test_values_are_not_templates():
    assert template.render("{{ a }}", {"a": "{{ b }}{% if b %}", "b": "secret"}) == "{{ b }}{% if b %}"


class Sly:
    """An object that would tell, if asked."""

    secret = "s3"

    def __str__(self):
        return "s3"


@pytest.mark.parametrize(
    "text",
    [
        "{{ sly.secret }}",
        "{{ sly.__class__ }}",
        "{{ traffic_pattern.__class__.__mro__ }}",
        "{{ labels.append }}",
        "{{ data.items }}",
        "{% for x in sly.secret %}{{ x }}{% else %}not known{% endfor %}",
    ],
)
def test_objects_are_closed(text):
    assert template.render(text, {**VALUES, "sly": Sly()}) == "not known"


def test_an_object_is_no_text():
    with pytest.raises(InvalidInput, match="cannot be written as text"):
        template.render("{{ sly }}", {"sly": Sly()})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{% if a %}", "{% endif %} is missing"),
        ("{% for x in a %}", "{% endfor %} is missing"),
        ("{% endif %}", "is not known here"),
        ("{% include 'x' %}", "is not known here"),
        ("{% for x of a %}{% endfor %}", "a loop reads"),
        ("{% if a > %}{% endif %}", "a name, a number or a quoted text is missing"),
        ("{% if a AND duration > 5m %}{% endif %}", "a template cannot wait"),
        ("{{ a | shout }}", "is no filter; there are default, upper"),
        ("{{ a() }}", "is no path"),
        ("{{ }}", "is no path"),
        ("{{ 3 + 4 }}", "is no path"),
        ("{% if a %}" * 17, "nested deeper than 16"),
        ("x" * 65_537, "longer than 65536"),
    ],
)
def test_a_wrong_template_is_refused_with_the_reason(text, what):
    with pytest.raises(InvalidInput, match=what):
        template.read(text)


def test_output_is_capped():
    with pytest.raises(InvalidInput, match="grows over 65536 bytes"):
        template.render("{% for x in rows %}{{ x }}{% endfor %}", {"rows": ["ü" * 1_000] * 40})
    assert len(template.render("{{ x }}", {"x": "y" * 65_536})) == 65_536


def test_loops_are_bounded():
    start = time.perf_counter()
    text = "{% for a in r %}{% for b in r %}{% for c in r %}{% if c == 1 %}x{% endif %}{% endfor %}{% endfor %}{% endfor %}"
    with pytest.raises(InvalidInput, match="more than 20000 steps"):
        template.render(text, {"r": [0] * 1000})
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("piece", ["{{", "{%", "{#", "{{ a | ", "{% if a", "}}{{"])
def test_tags_without_an_end_cost_one_pass(piece):
    text = piece * (60_000 // len(piece))
    start = time.perf_counter()
    with contextlib.suppress(InvalidInput):
        template.render(text, {})
    assert time.perf_counter() - start < 2


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "if ", "for x in data", "else", "endif", "endfor", "a", "|", "upper", " ", "{#", "#}"])
    ).map("".join)
)
def test_any_template_is_rendered_or_refused(text):
    try:
        result = template.render(text, {"a": 1, "data": [1]})
    except InvalidInput as error:
        result = error.message
    assert isinstance(result, str)
