"""Past events sent again: counted, paced, paused, durable."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from config.kernel.flow import clock
from config.kernel.flow.errors import Conflict, InvalidInput
from config.kernel.models import Event
from tests.support.factories import DeliveryFactory, EndpointFactory, EventFactory
from webhooks.models import Delivery, Endpoint, Replay
from webhooks.services import endpoints, replay

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frozen() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def endpoint() -> Endpoint:
    return EndpointFactory(events=["order.*"])


def past(count: int, **values: Any) -> list[Event]:
    moment = START - timedelta(hours=1)
    return [EventFactory(**{"created_at": moment, "routed_at": moment, **values}) for _ in range(count)]


def start(endpoint: Endpoint, **asked: Any) -> Replay:
    return replay.start(endpoint, **{"since": START - timedelta(days=1), **asked})


def step(at: time_machine.Traveller | None = None, seconds: float = 0) -> int:
    if at is not None:
        at.shift(timedelta(seconds=seconds))
    return replay.work(clock.now(), 10)


def test_the_preview_counts_what_the_endpoint_may_hear(endpoint: Endpoint) -> None:
    past(3)
    past(2, type="video.failed")
    past(1, route_note="test for wh_x")
    past(1, created_at=START - timedelta(days=3))
    since = START - timedelta(days=1)
    assert replay.preview(endpoint, since=since) == 3
    assert replay.preview(endpoint, since=since, events=["video.*"]) == 2
    assert replay.preview(endpoint, since=since, until=START - timedelta(hours=2)) == 0


def test_the_star_leaves_out_what_it_leaves_out_live() -> None:
    endpoint = EndpointFactory(events=["*"])
    past(1)
    past(1, type="github.push", source="inbound:github")
    past(1, type="endpoint.paused")
    assert replay.preview(endpoint, since=START - timedelta(days=1)) == 1


def test_a_replay_is_named_as_such(endpoint: Endpoint) -> None:
    past(1)
    assert start(endpoint).uid.startswith("rep_")


def test_the_preview_applies_the_filter() -> None:
    endpoint = EndpointFactory(filter_conditions={"number": {"$gt": 5}})
    past(2, data={"number": 9})
    past(2, data={"number": 1})
    assert replay.preview(endpoint, since=START - timedelta(days=1)) == 2


def test_only_failed_leaves_out_what_arrived(endpoint: Endpoint) -> None:
    arrived, dead, _ = past(3)
    DeliveryFactory(event=arrived, endpoint=endpoint, ended="delivered")
    DeliveryFactory(event=dead, endpoint=endpoint, ended="dead")
    assert replay.preview(endpoint, since=START - timedelta(days=1), only_failed=True) == 2


def test_missing_deliveries_are_made_and_ended_ones_are_sent_again(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    missing, ended, waiting = past(3)
    again = DeliveryFactory(event=ended, endpoint=endpoint, ended="delivered", attempt_count=2)
    still = DeliveryFactory(event=waiting, endpoint=endpoint, status="retrying", next_attempt_at=START + timedelta(hours=1))
    running = start(endpoint, per_minute=60_000)
    step()
    step(frozen, 1)
    again.refresh_from_db()
    still.refresh_from_db()
    running.refresh_from_db()
    assert Delivery.objects.filter(event=missing, status="pending").exists()
    assert (again.status, again.first_attempt_number) == ("pending", 2)
    assert still.status == "retrying"
    assert (running.status, running.done, running.total) == ("completed", 3, 3)
    assert running.finished_at is not None


def test_the_pace_is_kept(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    past(100)
    start(endpoint, per_minute=60)
    step()
    assert Delivery.objects.count() == 1
    step(frozen, 0.5)
    assert Delivery.objects.count() == 1
    step(frozen, 10)
    assert Delivery.objects.count() == 11
    for _ in range(5):
        step(frozen, 2)
    assert Delivery.objects.count() == 21


def test_a_replay_goes_on_where_it_stopped(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    past(5)
    running = start(endpoint, per_minute=60)
    step()
    assert replay.pause(running)
    assert not replay.pause(running)
    assert step(frozen, 3600) == 0
    assert replay.resume(running)
    step()
    assert Delivery.objects.count() == 2
    for _ in range(4):
        step(frozen, 1)
    running.refresh_from_db()
    assert (running.status, running.done) == ("completed", 5)


def test_a_cancelled_replay_sends_no_more(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    past(5)
    running = start(endpoint, per_minute=60)
    step()
    assert replay.cancel(running)
    assert not replay.resume(running)
    step(frozen, 60)
    assert Delivery.objects.count() == 1


def test_a_killed_step_is_made_again_without_doubling(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    past(3)
    running = start(endpoint, per_minute=60_000)
    Replay.objects.filter(pk=running.pk).update(lease_token="of a dead worker", lease_until=START + timedelta(seconds=30))
    assert replay.due_count(clock.now()) == 0
    assert step() == 0
    frozen.shift(timedelta(seconds=31))
    assert replay.due_count(clock.now()) == 1
    step()
    step(frozen, 1)
    running.refresh_from_db()
    assert (Delivery.objects.count(), running.done, running.status) == (3, 3, "completed")


def test_a_filter_that_lets_little_through_still_comes_to_an_end(frozen: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "SCAN", 4)
    endpoint = EndpointFactory(filter_conditions={"number": {"$gt": 5}})
    past(9, data={"number": 1})
    past(1, data={"number": 9})
    running = start(endpoint, per_minute=60_000)
    for _ in range(4):
        step(frozen, 1)
    running.refresh_from_db()
    assert (Delivery.objects.count(), running.done, running.status) == (1, 1, "completed")


def test_events_that_come_later_are_not_part_of_it(endpoint: Endpoint, frozen: time_machine.Traveller) -> None:
    past(1)
    running = start(endpoint, per_minute=60_000)
    frozen.shift(timedelta(seconds=1))
    EventFactory()
    step()
    step(frozen, 1)
    running.refresh_from_db()
    assert (running.done, running.status) == (1, "completed")


def test_a_deleted_endpoint_ends_its_replays(endpoint: Endpoint) -> None:
    past(5)
    running = start(endpoint, per_minute=60)
    endpoints.delete(endpoint)
    running.refresh_from_db()
    assert running.status == "cancelled"
    assert step() == 0


def test_nothing_is_replayed_to_a_disabled_endpoint() -> None:
    with pytest.raises(Conflict):
        start(EndpointFactory(status="disabled"))


def test_a_window_that_is_empty_or_a_type_nobody_knows_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(InvalidInput):
        start(endpoint, since=START, until=START)
    with pytest.raises(InvalidInput, match="nope"):
        start(endpoint, events=["nope.x"])
    with pytest.raises(InvalidInput):
        start(endpoint, per_minute=0)
