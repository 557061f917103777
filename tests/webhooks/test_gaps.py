"""Deliveries that GitHub made and we never got are found and asked for again, against a stand-in of its API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from config.kernel.flow import clock
from config.kernel.models import AuditRecord
from config.kernel.wire import http
from tests.support import github_api
from tests.support.github_api import GitHub
from tests.support.inbound import SECRET, post_github
from webhooks.models import Source
from webhooks.services import gaps, sources

pytestmark = pytest.mark.django_db

HOOK = "repos/octo/demo/hooks/77"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


@pytest.fixture
def api(settings: Settings) -> Iterator[GitHub]:
    with github_api.running() as github:
        settings.GITHUB_API_URL = github.url
        settings.GITHUB_TOKEN = github_api.TOKEN
        github.deliveries[HOOK] = []
        yield github
        http.close_pools()


@pytest.fixture
def source(time: time_machine.Traveller) -> Source:
    made = sources.create(slug="github", preset="github", secret=SECRET, github_hook=HOOK).source
    Source.objects.update(created_at=START - timedelta(days=30))
    return made


def look() -> Source:
    """One turn of the duty; the source as it is then."""
    assert gaps.work(clock.now(), 10) == 1
    return Source.objects.get()


def ago(**span: float) -> datetime:
    return clock.now() - timedelta(**span)


def test_what_never_came_is_asked_for_and_what_came_is_not(source: Source, api: GitHub) -> None:
    lost = api.add(HOOK, "lost", ago(hours=2))
    api.add(HOOK, "came", ago(hours=1), status_code=202)
    post_github({}, event="star", delivery="came")
    state = look().gap_state
    assert api.asked == [lost]
    assert (list(state["missing"]), state["redelivered"], state["error"]) == (["lost"], 1, "")
    assert AuditRecord.objects.get(action="source.redelivery_requested").detail == {"delivery_id": "lost", "attempt": 1}


def test_refused_delivery_counts_as_missing(source: Source, api: GitHub) -> None:
    lost = api.add(HOOK, "refused", ago(hours=1), status_code=401)
    post_github({}, event="star", delivery="refused", secret="wrong")
    look()
    assert api.asked == [lost]


def test_what_came_by_another_hook_does_not_count(source: Source, api: GitHub) -> None:
    lost = api.add(HOOK, "shared", ago(hours=1))
    post_github({}, event="star", delivery="shared", hook="78")
    look()
    assert api.asked == [lost]


def test_missing_one_that_arrives_is_forgotten(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    api.add(HOOK, "lost", ago(hours=2))
    look()
    post_github({}, event="star", delivery="lost")
    time.shift(timedelta(minutes=40))
    assert look().gap_state["missing"] == {}
    assert len(api.asked) == 1


def test_missing_one_is_asked_for_again_after_half_an_hour_and_five_times_at_most(
    source: Source, api: GitHub, time: time_machine.Traveller
) -> None:
    api.add(HOOK, "lost", ago(hours=2))
    counts = []
    for _ in range(40):
        look()
        counts.append(len(api.asked))
        time.shift(timedelta(minutes=5))
    assert counts[:8] == [1, 1, 1, 1, 1, 1, 2, 2]
    assert counts[-1] == 5


def test_oldest_is_asked_for_first(source: Source, api: GitHub) -> None:
    first, second = api.add(HOOK, "a", ago(hours=3)), api.add(HOOK, "b", ago(hours=2))
    look()
    assert api.asked == [first, second]


def test_after_a_long_outage_a_look_asks_for_so_many_and_the_next_goes_on(
    source: Source, api: GitHub, time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gaps, "MAX_ASKED_AT_ONCE", 2)
    lost = [api.add(HOOK, f"lost-{hours}", ago(hours=hours)) for hours in (3, 2, 1)]
    look()
    assert api.asked == lost[:2]
    time.shift(gaps.EVERY)
    look()
    assert api.asked == lost


def test_what_is_on_its_way_is_left_for_the_next_look(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    api.add(HOOK, "young", ago(seconds=20))
    look()
    assert api.asked == []
    time.shift(timedelta(minutes=5))
    look()
    assert len(api.asked) == 1


def test_nothing_older_than_three_days_is_asked_for(source: Source, api: GitHub) -> None:
    api.add(HOOK, "too old", ago(days=3, minutes=1))
    young_enough = api.add(HOOK, "just in time", ago(days=2, hours=23))
    look()
    assert api.asked == [young_enough]


def test_nothing_from_before_the_source_is_asked_for(source: Source, api: GitHub) -> None:
    Source.objects.update(created_at=ago(hours=1))
    api.add(HOOK, "before", ago(hours=2))
    look()
    assert api.asked == []


def test_what_github_no_longer_has_is_not_asked_for_twice(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    api.gone.add(api.add(HOOK, "purged", ago(hours=2)))
    look()
    time.shift(timedelta(hours=1))
    state = look().gap_state
    assert state["redelivered"] == 0
    assert state["missing"]["purged"]["asked"] == gaps.MAX_ASKED


def test_all_pages_are_read_once_and_then_only_the_new_ones(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    api.page_size = 10
    for number in range(35):
        api.add(HOOK, f"g{number}", ago(hours=40 - number))
    look()
    assert (len(api.asked), api.pages_read) == (35, 4)
    time.shift(timedelta(minutes=5))
    look()
    assert api.pages_read == 5


def test_failure_of_github_is_kept_and_seen_ground_is_not_lost(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    lost = api.add(HOOK, "lost", ago(hours=2))
    api.status = 500
    failed = look()
    assert "500" in failed.gap_state["error"]
    assert failed.gap_state["seen_until"] is None
    api.status = 200
    time.shift(timedelta(minutes=5))
    assert look().gap_state["error"] == ""
    assert api.asked == [lost]


def test_unknown_hook_is_told_on_the_source(source: Source, api: GitHub) -> None:
    del api.deliveries[HOOK]
    assert "404" in look().gap_state["error"]


def test_sources_are_due_every_five_minutes(source: Source, api: GitHub, time: time_machine.Traveller) -> None:
    assert gaps.due_count(clock.now()) == 1
    look()
    assert (gaps.due_count(clock.now()), gaps.work(clock.now(), 10)) == (0, 0)
    time.shift(timedelta(minutes=5))
    assert gaps.due_count(clock.now()) == 1


def test_only_one_process_looks_at_a_time(source: Source, api: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(gaps._due(clock.now()))
    look()
    monkeypatch.setattr(gaps, "_due", lambda now: before)
    assert gaps.work(clock.now(), 10) == 0


@pytest.mark.parametrize("how", ["paused", "deleted", "no hook", "no token"])
def test_source_that_is_not_to_be_looked_after_is_never_due(source: Source, api: GitHub, settings: Settings, how: str) -> None:
    if how == "paused":
        sources.pause(source)
    elif how == "deleted":
        sources.delete(source)
    elif how == "no hook":
        sources.update(source, github_hook="")
    else:
        settings.GITHUB_TOKEN = ""
    assert (gaps.due_count(clock.now()), gaps.work(clock.now(), 10)) == (0, 0)
