"""The pages of measured values show what the API says, refresh by parts, and work without JavaScript."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config.kernel import series
from config.kernel.models import Snapshot
from config.kernel.series import rollups
from config.look import words

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PAGE = "/system/metrics"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as found:
        yield found


@pytest.fixture
def measured():
    for minutes in range(10, -1, -1):
        values = {"cpu_usage": 40.0 + minutes, "memory_available": 1_500_000_000.0, "response_time": 0.038, "requests_per_second": 0.25}
        series.record(values, NOW - timedelta(minutes=minutes))


def text(answer):
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_every_series_is_listed_with_its_value_its_unit_and_its_course(admin_client, measured):
    page = text(admin_client.get(PAGE))
    for shown in ("cpu_usage", "40 %", "1.5 GB", "38 ms", "0.25 /s", 'class="spark"', "Processor time in use"):
        assert shown in page, shown


def test_the_first_group_is_that_of_the_machine(admin_client, measured):
    headings = re.findall(r"<h2>(.*?)</h2>", text(admin_client.get(PAGE)))
    assert headings[0] == "This machine"
    assert {"Traffic", "Webhooks", "Database"} <= set(headings)


def test_the_list_can_be_searched(admin_client, measured):
    page = text(admin_client.get(PAGE, {"q": "memory"}))
    assert "memory_available" in page
    assert "cpu_usage" not in page
    assert "No series has such a name" in text(admin_client.get(PAGE, {"q": "nonsense"}))


def test_before_the_first_sample_the_page_says_what_to_expect(admin_client):
    assert words.NOTHING in text(admin_client.get(PAGE))
    assert "Nothing was measured yet" in text(admin_client.get("/"))


def test_values_that_are_old_are_called_old(admin_client, measured, clock):
    clock.shift(timedelta(minutes=5))
    assert "Nothing was measured since" in text(admin_client.get(PAGE))


def test_one_series_is_drawn_without_javascript_and_has_its_numbers_behind_it(admin_client, measured):
    page = text(admin_client.get(f"{PAGE}/cpu_usage"))
    assert page.count("<polyline") == 1
    assert page.count('<td class="num">50 %</td>') == 3, "the oldest, as mean, lowest and highest"
    assert f'data-series="{PAGE}/cpu_usage/data' in page
    assert "45 %" in page, "the mean"


@pytest.mark.parametrize("name", ["cpu_usage", "memory_available", "response_time"])
def test_a_series_of_which_nothing_was_measured_in_this_time_says_so(admin_client, measured, clock, name):
    clock.shift(timedelta(days=3))
    page = text(admin_client.get(f"{PAGE}/{name}?since=15m"))
    assert "Nothing was measured in this time" in page
    assert page.count("<dd>\N{EN DASH}</dd>") >= 3, "mean, lowest and highest"


def test_a_gap_breaks_the_line(admin_client, measured):
    Snapshot.objects.filter(at__gt=NOW - timedelta(minutes=7), at__lt=NOW - timedelta(minutes=3)).delete()
    rows = [Snapshot(at=NOW - timedelta(seconds=30 * number), values={"cpu_usage": 1.0}) for number in (1, 3, 5)]
    Snapshot.objects.bulk_create(rows)
    page = text(admin_client.get(f"{PAGE}/cpu_usage"))
    assert page.count("<polyline") == 2
    columns = admin_client.get(f"{PAGE}/cpu_usage/data").json()["columns"]
    assert columns[1].count(None) == 1


def test_the_data_of_a_chart_are_columns_of_the_time_asked_for(admin_client, measured):
    found = admin_client.get(f"{PAGE}/cpu_usage/data", {"since": "15m"}).json()
    assert (found["unit"], found["to"], found["to"] - found["from"]) == ("%", NOW.timestamp(), 900)
    times, means, lows, highs = found["columns"]
    assert times[-1] == NOW.timestamp()
    assert means[-1] == lows[-1] == highs[-1] == 40.0


def test_a_day_is_drawn_of_minutes(admin_client, measured):
    rollups.Rollups().work(NOW, 100)
    found = admin_client.get(f"{PAGE}/cpu_usage/data", {"since": "24h"}).json()
    assert found["seconds"] == 180
    assert "Last 24 hours" in text(admin_client.get(f"{PAGE}/cpu_usage", {"since": "24h"}))


@pytest.mark.parametrize("since", ["15m", "1h", "24h", "7d", "30d"])
def test_the_list_takes_few_statements_for_any_time(admin_client, measured, since, django_assert_max_num_queries):
    rollups.Rollups().work(NOW, 100)
    with django_assert_max_num_queries(20):
        assert "cpu_usage" in text(admin_client.get(PAGE, {"since": since}))


def test_only_a_part_is_refreshed(admin_client, measured):
    part = text(admin_client.get(PAGE, headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert "cpu_usage" in part
    series.record({"cpu_usage": 97.5}, NOW)
    assert "97.5 %" in text(admin_client.get(f"{PAGE}/cpu_usage", headers={"HX-Request": "true"}))


def test_the_overview_shows_the_numbers_of_the_api(admin_client, api, measured):
    found = api.get("/api/autonomous/system/metrics").json()
    for page in (admin_client.get("/"), admin_client.get("/", headers={"HX-Request": "true"})):
        shown = text(page)
        assert f">{found['cpu_usage']:.0f} %<" in shown
        assert f">{found['response_time'] * 1000:.0f} ms<" in shown
        assert f">{found['rates']['requests_per_second']} /s<" in shown


def test_the_numbers_can_be_taken_away(admin_client, measured):
    answer = admin_client.get(f"{PAGE}/cpu_usage", {"export": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert (lines[0], lines[1], len(lines)) == ("at,value,low,high,count", "2026-01-31T11:50:00.000Z,50.0,50.0,50.0,1", 12)


def test_a_wrong_time_and_a_wrong_name_are_pages_that_say_so(admin_client, measured):
    assert admin_client.get(f"{PAGE}/cpu_usage", {"since": "soon"}).status_code == 400
    assert admin_client.get(f"{PAGE}/nonsense").status_code == 404


def test_who_may_not_see_metrics_sees_none(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("nobody"))
    assert client.get(PAGE).status_code == 403
    assert client.get(f"{PAGE}/cpu_usage/data").status_code == 403


def test_the_list_is_exported_as_it_is_filtered(client, admin_user, measured):
    client.force_login(admin_user)
    rows = json.loads(b"".join(client.get(f"{PAGE}?q=cpu_usage&export=json").streaming_content))
    assert [(row["name"], row["value"], row["unit"]) for row in rows] == [("cpu_usage", 40.0, "%")]
