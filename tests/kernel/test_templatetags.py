"""The words of the templates: what each draws, and that nothing a stranger sent is taken for markup."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, User
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory

from config.look import charts, pages, words

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
EVIL = '"><script>alert(1)</script>'
STATIC = Path(__file__).resolve().parents[2] / "static"


def draw(text, query="", **values):
    request = RequestFactory().get(f"/things{query}")
    return Template("{% load steward %}" + text).render(Context({"request": request, **values}))


@pytest.mark.parametrize(("name", "told"), [("half_open", "half open"), ("github_api", "GitHub API"), ("redis", "redis")])
def test_a_name_of_ours_is_written_as_people_write_it(name, told):
    assert draw("{{ name|plain }}", name=name) == told


@pytest.mark.parametrize("may", [True, False])
def test_an_empty_list_offers_only_what_its_reader_may_do(may):
    request = RequestFactory().get("/")
    request.user = User(is_active=True, is_superuser=True) if may else AnonymousUser()
    given = {"request": request, "title": "Nothing", "url": "/do", "action": "Do it", "scope": "events:publish"}
    assert ("Do it" in render_to_string("components/empty.html", given)) is may


@pytest.mark.parametrize(
    ("word", "tone"),
    [
        ("delivered", "ok"),
        ("dead", "bad"),
        ("retrying", "held"),
        ("sending", "info"),
        ("cancelled", "off"),
        ("half open", "held"),
        ("???", "off"),
    ],
)
def test_a_state_has_the_tone_that_people_expect(word, tone):
    assert words.tone_of(word) == tone


def test_a_status_is_a_word_and_a_shape_as_well_as_a_colour():
    drawn = draw('{% status "half_open" %}')
    assert "status--held" in drawn
    assert "<svg" in drawn
    assert "half open</span>" in drawn


def test_every_tone_has_a_shape_of_its_own():
    assert len({words.shape(tone) for tone in ("ok", "bad", "held", "info", "off")}) == 5


def test_a_long_id_is_shortened_in_the_middle_and_copied_whole():
    uid = "evt_01h2xcejqtf2nbrexx3vqjhp41"
    drawn = draw("{% uid value '/events/x' %}", value=uid)
    assert ">evt_01h2…qjhp41<" in drawn
    assert f'data-copy="{uid}"' in drawn
    assert '<a href="/events/x"' in drawn


def test_a_short_id_stays_whole():
    assert words.short("wh_orders") == "wh_orders"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "now"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86400 * 3, "3 d ago"),
        (-90, "in 1 min"),
        (86400 * 40, "13 Oct 2026"),
    ],
)
def test_a_time_is_told_as_people_tell_it(seconds, text):
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == text


def test_a_relative_time_carries_the_exact_one():
    with time_machine.travel(NOW, tick=False):
        drawn = draw("{{ at|ago }}", at=NOW - timedelta(minutes=3))
    assert drawn == '<time datetime="2026-11-22T11:57:00.000Z" title="2026-11-22 11:57:00 UTC">3 min ago</time>'


@pytest.mark.parametrize("text", ["{{ none|ago }}", "{{ none|exact }}", "{{ none|bytes }}", "{{ none|ms }}", "{{ none|percent }}"])
def test_what_is_not_known_is_a_dash(text):
    assert draw(text, none=None) == words.NOTHING


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (25_000_000, "25.0 MB"), (3e12, "3.0 TB")])
def test_bytes_have_a_unit(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(("length", "text"), [(0.42, "0.4 ms"), (12.4, "12 ms"), (1234, "1.23 s"), (125_000, "2 min 5 s")])
def test_milliseconds_have_a_unit(length, text):
    assert words.milliseconds(length) == text


@pytest.mark.parametrize(("share", "text"), [(1, "100 %"), (0, "0 %"), (0.99999, "99.9 %"), (0.00001, "0.1 %"), (0.5, "50.0 %")])
def test_a_share_is_never_rounded_to_all_or_nothing(share, text):
    assert words.percent(share) == text


def test_json_is_indented_and_coloured():
    drawn = draw("{{ value|json_pretty }}", value=b'{"a": [1, null, "x"]}')
    assert '<span class="k">&quot;a&quot;</span>: [' in drawn
    assert '<span class="n">1</span>' in drawn
    assert '<span class="w">null</span>' in drawn
    assert '<span class="s">&quot;x&quot;</span>' in drawn


def test_what_is_no_json_is_shown_as_it_is():
    assert words.json_text("<html>no</html>") == "<html>no</html>"


def test_bytes_that_are_no_text_are_shown_nevertheless():
    assert "\N{REPLACEMENT CHARACTER}" in words.json_text(b"\xff\xfe")


def test_json_nested_too_deeply_is_shown_as_it_is():
    deep = "[" * 100_000
    assert words.json_text(deep) == deep


@pytest.mark.parametrize(
    "text",
    [
        "{% status value %}",
        "{% uid value value %}",
        "{% copy value %}",
        "{{ value|json_pretty }}",
        "{{ headers|headers }}",
        '{% filter_text "q" "Q" value %}',
        "{% bars series value %}",
        "{% sparkline numbers value %}",
        "{% strip marks %}",
    ],
)
def test_nothing_that_was_sent_becomes_markup(text):
    drawn = draw(
        text,
        query="?q=" + EVIL,
        value=EVIL,
        headers={EVIL: EVIL},
        series=[charts.Bar(EVIL, {"ok": 1}, url=EVIL)],
        numbers=[1, 2],
        marks=[("ok", EVIL)],
    )
    assert "<script>" not in drawn


def test_bars_are_as_high_as_their_share_of_the_highest():
    drawn = charts.bars([charts.Bar("a", {"": 10}), charts.Bar("b", {"": 5})], label="Events")
    assert 'height="46.0"' in drawn
    assert 'height="23.0"' in drawn


def test_a_single_event_beside_thousands_is_still_seen():
    drawn = charts.bars([charts.Bar("a", {"": 100_000}), charts.Bar("b", {"": 1})], label="Events")
    assert 'height="1.5"' in drawn


def test_bars_have_their_numbers_behind_them():
    drawn = draw('{% bars series "Deliveries" %}', series=[charts.Bar("10:00", {"ok": 1200, "bad": 3}, "/deliveries?x=1")])
    assert '<td class="num">1,200</td><td class="num">3</td>' in drawn
    assert '<a href="/deliveries?x=1">10:00</a>' in drawn


def test_bars_of_nothing_are_drawn_without_dividing_by_it():
    assert "<svg" in charts.bars([], label="Nothing")


def test_a_sparkline_needs_two_values():
    assert charts.sparkline([1]) == ""
    assert "polyline" in charts.sparkline([1, 1])


def test_a_line_stays_within_its_chart_where_points_lie_outside_of_its_time():
    points = [SimpleNamespace(at=NOW + timedelta(seconds=second), low=1, high=1, value=1) for second in (-5, 30, 65)]
    until = NOW + timedelta(seconds=60)
    drawn = charts.line(points, NOW, until, label="cpu", step=60, shown=str, percent=False)
    assert '<polyline points="0.0,0.0 500.0,0.0 1000.0,0.0"/>' in drawn


def test_phases_share_the_width():
    drawn = charts.phases([("dns", 25), ("connect", 75)])
    assert 'width="25.0"' in drawn
    assert 'x="25.0" width="75.0"' in drawn


def test_a_query_keeps_what_is_not_changed():
    assert draw("{% query_with page=2 since=None %}", query="?status=dead&since=1h&page=1") == "?status=dead&amp;page=2"


def test_a_filter_shows_what_is_chosen():
    drawn = draw('{% filter_choice "status" choices "Status" %}', query="?status=dead", choices=[("dead", "dead"), ("ok", "fine")])
    assert '<option value="dead" selected>' in drawn
    assert '<option value="ok">' in drawn


def test_pagination_says_where_we_are_and_leads_on():
    page = pages.Listed(rows=list(range(50)), number=2, size=50, total=10_000, is_counted=False)
    drawn = draw("{% pagination page %}", query="?status=dead&page=2", page=page)
    assert "51\N{EN DASH}100 of 10,000+" in drawn
    assert 'href="?status=dead&amp;page=3"' in drawn
    assert 'href="?status=dead" rel="prev"' in drawn


@pytest.mark.parametrize(
    "module",
    ["status--ok", "status--bad", "status--held", "status--info", "bar--ok", "phase--dns", "uid", "copy", "story", "empty", "paging"],
)
def test_what_the_words_draw_has_a_style(module):
    assert f".{module}" in (STATIC / "css" / "steward.css").read_text()


def _luminance(colour):
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _variables(block):
    pairs = (line.strip().removeprefix("--").rstrip(";").split(": ", 1) for line in block.splitlines() if line.strip().startswith("--"))
    return {name: value for name, value in pairs if value.startswith("#")}


def _themes():
    text = (STATIC / "css" / "tokens.css").read_text()
    light = text[text.index(":root {") : text.index("@media")]
    machine = text[text.index("@media") : text.index("/* The same once more")]
    chosen = text[text.index(':root[data-theme="dark"]') :]
    return {"light": _variables(light), "dark by machine": _variables(machine), "dark by choice": _variables(chosen)}


TEXT_ON = [
    *(
        (ink, ground)
        for ink in ("text", "text-muted", "text-faint", "accent", "ok", "bad", "held", "info", "off")
        for ground in ("page", "surface", "hover")
    ),
    *((tone, f"{tone}-soft") for tone in ("ok", "bad", "held", "info", "off", "accent")),
    *((ink, "sunken") for ink in ("text", "text-muted", "code-key", "code-text", "code-number", "code-word")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
]


@pytest.mark.parametrize("theme", ["light", "dark by machine", "dark by choice"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_can_be_read_in_light_and_dark(theme, ink, ground):
    """WCAG AA: 4.5 to 1."""
    found = _themes()[theme]
    assert _contrast(found[ink], found[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark by machine", "dark by choice"])
def test_the_border_of_an_input_and_the_focus_can_be_seen(theme):
    """WCAG AA for what is no text: 3 to 1."""
    found = _themes()[theme]
    assert _contrast(found["line-strong"], found["surface"]) >= 3
    assert _contrast(found["focus"], found["page"]) >= 3


def test_dark_is_the_same_by_machine_and_by_choice():
    themes = _themes()
    assert themes["dark by machine"] == themes["dark by choice"]


def test_names_between_backticks_become_code_and_markup_stays_text():
    assert draw("{{ told|marked }}", told="`total_time` in <b>") == "<code>total_time</code> in &lt;b&gt;"
    assert draw("{{ told|marked }}", told="one ` alone") == "one ` alone"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, words.NOTHING),
        (0.2, "1 s"),
        (59, "59 s"),
        (125, "2 min 5 s"),
        (7200, "2 h"),
        (12_000, "3 h 20 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds, told):
    assert words.lasting(seconds) == told


def test_a_chart_of_one_colour_needs_no_legend():
    assert charts.legend(["ok"]) == ""
