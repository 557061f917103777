"""Measured values over the API and the command: what psutil says, with unit and age, and what each series did."""

import json
from datetime import UTC, datetime, timedelta

import psutil
import pytest
import time_machine
from django.core.management import CommandError, call_command

from config.kernel import series
from config.kernel.models import Lease, Rollup, Snapshot
from config.kernel.series import rollups, sampling

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
URL = "/api/v1/system/metrics"


@pytest.fixture
def at_noon():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def measured(at_noon):
    """Three samples, the newest 7 s old, of which the one in the middle lacks `cpu_usage`."""
    for minutes, values in (
        (2, {"cpu_usage": 70.0, "disk_usage": 50.0}),
        (1, {"disk_usage": 50.0}),
        (0, {"cpu_usage": 81.5, "queue_depth": 3}),
    ):
        series.record(values, NOW - timedelta(minutes=minutes))
    at_noon.shift(timedelta(seconds=7))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", [URL, "/api/autonomous/system/metrics"])
def test_the_metrics_are_what_psutil_says(api, url):
    Lease.objects.all().delete()
    assert sampling.tick(datetime.now(UTC))
    found = api.get(url).json()
    assert found["memory_usage"] == pytest.approx(psutil.virtual_memory().percent, abs=5)
    assert found["disk_usage"] == pytest.approx(psutil.disk_usage("/").percent, abs=1)
    assert 0 <= found["cpu_usage"] <= 100
    assert found["queue_depth"] >= 0
    assert found["metrics"]["memory_usage"]["value"] == found["memory_usage"]
    assert set(found["rates"]) == {f"{what}_per_second" for what in ("events", "requests", "receipts", "deliveries", "tasks")}


def test_each_value_has_its_unit_its_age_and_the_way_to_its_history(api, measured):
    found = api.get(URL).json()
    assert (found["sampled_at"], found["age_seconds"]) == ("2026-01-31T12:00:00.000Z", 7.0)
    assert (found["interval_seconds"], found["is_stale"]) == (30, False)
    assert found["metrics"]["cpu_usage"] == {
        "value": 81.5,
        "unit": "%",
        "about": "Processor time in use, over all cores, since the last sample.",
        "sampled_at": "2026-01-31T12:00:00.000Z",
        "age_seconds": 7.0,
        "history": "/api/v1/system/metrics/cpu_usage",
    }
    assert api.get(found["metrics"]["cpu_usage"]["history"]).status_code == 200


def test_what_was_not_measured_is_null_and_no_zero(api, measured):
    found = api.get(URL).json()
    assert (found["disk_usage"], found["metrics"]["disk_usage"]["value"], found["rates"]["events_per_second"]) == (None, None, None)


def test_before_the_first_sample_nothing_is_claimed(api):
    found = api.get(URL).json()
    assert (found["sampled_at"], found["age_seconds"], found["cpu_usage"], found["is_stale"]) == (None, None, None, True)
    assert "cpu_usage" in found["metrics"]


def test_old_values_say_that_they_are_old(api, measured, at_noon):
    at_noon.shift(timedelta(seconds=89))
    assert api.get(URL).json()["is_stale"]


def test_a_history_leaves_gaps_out(api, measured):
    found = api.get(f"{URL}/cpu_usage").json()
    assert [point["at"] for point in found["points"]] == ["2026-01-31T11:58:00.000Z", "2026-01-31T12:00:00.000Z"]
    assert [point["value"] for point in found["points"]] == [70.0, 81.5]
    assert (found["seconds"], found["unit"], found["name"]) == (0, "%", "cpu_usage")


def test_a_history_is_of_the_time_asked_for(api, measured):
    found = api.get(f"{URL}/cpu_usage", {"since": "2026-01-31T11:57:00Z", "until": "2026-01-31T11:59:00+00:00"}).json()
    assert [point["value"] for point in found["points"]] == [70.0]
    assert found["until"] == "2026-01-31T11:59:00.000Z"


def test_a_history_of_minutes(api, at_noon):
    Snapshot.objects.bulk_create(Snapshot(at=NOW - timedelta(seconds=30 * n), values={"cpu_usage": n}) for n in range(1, 21))
    rollups.Rollups().work(NOW, 100)
    found = api.get(f"{URL}/cpu_usage", {"seconds": 300}).json()
    points = [[point[part] for part in ("value", "low", "high", "count")] for point in found["points"]]
    assert points == [[15.5, 11, 20, 10], [5.5, 1, 10, 10]]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": "yesterday"}, "`since`: 'yesterday' is no time"),
        ({"since": "2026-02-01T00:00:00Z"}, "ends before it begins"),
        ({"since": "2020-02-01T00:00:00Z"}, "Nothing is kept for so long"),
        ({"until": "0001-01-01T00:00:00Z"}, "Nothing was measured before that time"),
        ({"seconds": "-1"}, "whole number"),
        ({"seconds": "90"}, "whole minutes"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence(api, measured, asked, said):
    answer = api.get(f"{URL}/cpu_usage", asked)
    assert (answer.status_code, said in answer.json()["detail"]) == (400, True), answer.json()


def test_a_name_that_nobody_measures_is_not_found(api, measured):
    answer = api.get(f"{URL}/cpu_usge")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Nothing measures 'cpu_usge'. Did you mean cpu_usage, swap_usage?")


def test_a_series_that_is_measured_no_more_still_has_its_history(api, at_noon):
    Rollup.objects.create(name="old.one", seconds=3600, at=NOW - timedelta(days=9), count=2, sum=4, min=1, max=3, last=3)
    found = api.get(f"{URL}/old.one", {"since": "2026-01-20T00:00:00Z"}).json()
    assert (found["value"], [point["value"] for point in found["points"]]) == (None, [2.0])


@pytest.mark.parametrize("url", [URL, "/api/autonomous/system/metrics", f"{URL}/cpu_usage"])
def test_metrics_view_is_needed(api_of, admin_user, client, url):
    assert api_of(admin_user, ["webhooks:view"]).get(url).status_code == 403
    assert client.get(url).status_code == 401
    assert api_of(admin_user, ["metrics:view"]).get(url).status_code == 200


# --- the command --------------------------------------------------------------------------------
def said(capsys, *words):
    call_command("metrics", *words)
    return capsys.readouterr().out


def test_the_command_lists_what_is_measured(measured, capsys):
    rows = {row["name"]: row for row in json.loads(said(capsys, "list", "--json"))}
    assert (rows["cpu_usage"]["value"], rows["cpu_usage"]["unit"], rows["disk_usage"]["value"]) == (81.5, "%", None)


def test_the_command_shows_what_one_series_did(measured, capsys):
    assert [row["value"] for row in json.loads(said(capsys, "show", "cpu_usage", "--json"))] == [70.0, 81.5]
    assert [row["count"] for row in json.loads(said(capsys, "show", "cpu_usage", "--seconds", "3600", "--json"))] == [1, 1]


def test_the_command_says_what_it_does_not_know(measured):
    with pytest.raises(CommandError, match="Nothing measures 'nonsense'"):
        call_command("metrics", "show", "nonsense")


@pytest.mark.django_db(transaction=True)
def test_the_command_takes_a_sample(capsys, at_noon):
    found = json.loads(said(capsys, "sample", "--json"))
    assert (found["is_new"], found["sampled_at"]) == (True, "2026-01-31T12:00:00.000Z")
    assert found["values"] > 15
    assert not json.loads(said(capsys, "sample", "--json"))["is_new"]
