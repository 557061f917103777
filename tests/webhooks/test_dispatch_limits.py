"""Dispatch keeps its distance: breaker, rate, bulkhead, fairness, and several workers at once."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection

from config.kernel.flow import clock
from config.kernel.limits import breaker
from tests.support import outbound, receivers
from webhooks.enums import OPEN_STATUSES
from webhooks.models import Attempt, Delivery, Endpoint
from webhooks.services import dispatch
from webhooks.services.dispatch import claiming, recording, turns
from webhooks.services.dispatch.pipeline import Pipeline

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def moment(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """Time stands still unless a test moves it; receivers on loopback may be called."""
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(turns, "_kept", None)
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def run(pipeline: Pipeline) -> None:
    assert pipeline.run(seconds=30, limit=None, stay_seconds=0)


def taken(target: Endpoint) -> int:
    return Delivery.objects.filter(endpoint=target, status="sending").count()


def claim(room: int = 400, retry_room: int = 300) -> list[claiming.Claimed]:
    return claiming.claim(claiming.ready(clock.now()), token="t", room=room, retry_room=retry_room)


def test_five_failures_open_the_breaker_and_no_attempt_is_used_up_while_it_is_open() -> None:
    with receivers.status(500) as sink:
        target = outbound.endpoint(sink.url, max_in_flight=1)
        outbound.deliveries(target, 20)
        dispatch.drain()
        assert len(sink.requests) == 5
        assert dispatch.due_count(NOW) == 0
        assert dispatch.drain() == 0
    target.refresh_from_db()
    assert target.breaker_open_until == NOW + timedelta(seconds=60)
    assert target.is_active
    assert Attempt.objects.count() == 5
    assert Delivery.objects.filter(status="pending", attempt_count=0).count() == 15


def test_after_the_recovery_time_exactly_one_worker_makes_exactly_one_trial(moment: time_machine.Traveller) -> None:
    with receivers.failing(6) as sink:
        target = outbound.endpoint(sink.url, max_in_flight=1)
        outbound.deliveries(target, 20)
        run(Pipeline())
        moment.shift(60)
        run(Pipeline())
        run(Pipeline())
        assert len(sink.requests) == 6
        assert breaker.state(target.breaker_key) == breaker.OPEN
        moment.shift(60)
        run(Pipeline())
    target.refresh_from_db()
    assert breaker.state(target.breaker_key) == breaker.CLOSED
    assert target.breaker_open_until is None
    assert not Delivery.objects.filter(endpoint=target, status="pending").exists()


def test_a_second_worker_does_not_try_while_the_trial_is_under_way(moment: time_machine.Traveller) -> None:
    target = outbound.endpoint("http://127.0.0.1:9/hook")
    outbound.deliveries(target, 3)
    breaker.failed(target.breaker_key, threshold=1, recovery_seconds=60)
    Endpoint.objects.filter(pk=target.pk).update(breaker_open_until=NOW + timedelta(seconds=60))
    moment.shift(61)
    first, second = claiming.ready(clock.now()), claiming.ready(clock.now())
    taken_first = claiming.claim(first, token="a", room=100, retry_room=100)
    taken_second = claiming.claim(second, token="b", room=100, retry_room=100)
    assert (len(taken_first), len(taken_second)) == (1, 0)


def test_a_breaker_closed_by_hand_is_noticed(moment: time_machine.Traveller) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, breaker_open_until=NOW)
        outbound.deliveries(target, 3)
        assert dispatch.drain() == 3
    target.refresh_from_db()
    assert target.breaker_open_until is None


def test_a_rate_delays_and_never_drops(moment: time_machine.Traveller) -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, rate_per_minute=100)
        outbound.deliveries(target, 130)
        for _ in range(100):
            dispatch.drain()
            moment.shift(0.6)
        in_the_first_minute = len(sink.requests)
        for _ in range(50):
            dispatch.drain()
            moment.shift(0.6)
    assert 95 <= in_the_first_minute <= 100
    assert len(sink.requests) == 130
    assert not Delivery.objects.filter(endpoint=target, status__in=OPEN_STATUSES).exists()


def test_a_held_endpoint_is_not_asked_before_its_time() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url, rate_per_minute=6)
        outbound.deliveries(target, 2)
        assert dispatch.drain() == 1
    target.refresh_from_db()
    assert target.rate_held_until == NOW + timedelta(seconds=10)
    assert dispatch.due_count(NOW) == 0
    assert dispatch.next_due_at(NOW) == target.rate_held_until


@pytest.mark.parametrize("per_minute", [1, 7, 60, 100, 119, 600, 6000])
def test_no_minute_ever_has_more_than_the_rate(per_minute: int) -> None:
    rate = claiming.rate_of(per_minute)
    assert rate.burst + 59.999 * rate.per_second < per_minute + 1
    assert rate.per_second * 60 >= per_minute * 0.95


def test_an_endpoint_gets_no_more_than_its_share_of_open_requests() -> None:
    small, usual = outbound.endpoint("http://127.0.0.1:9/a", max_in_flight=3), outbound.endpoint("http://127.0.0.1:9/b")
    for target in (small, usual):
        outbound.deliveries(target, 40)
    claim()
    assert (taken(small), taken(usual)) == (3, 16)
    assert claim() == []


def test_little_room_is_shared_turn_by_turn() -> None:
    targets = [outbound.endpoint(f"http://127.0.0.1:9/{number}") for number in range(5)]
    for target in targets:
        outbound.deliveries(target, 20)
    claim(room=10)
    assert [taken(target) for target in targets] == [2, 2, 2, 2, 2]


def test_who_has_nothing_open_comes_before_who_has() -> None:
    eager = outbound.endpoint("http://127.0.0.1:9/eager")
    outbound.deliveries(eager, 40)
    claim(room=3)
    late = outbound.endpoint("http://127.0.0.1:9/late")
    outbound.deliveries(late, 40, due_in=-1)
    claim(room=3)
    assert (taken(eager), taken(late)) == (3, 3)


def test_second_tries_leave_room_for_first_ones() -> None:
    targets = [outbound.endpoint(f"http://127.0.0.1:9/{number}") for number in range(4)]
    for target in targets:
        outbound.deliveries(target, 20, due_in=-60)
        Delivery.objects.filter(endpoint=target).update(status="retrying", attempt_count=1)
    fresh = outbound.endpoint("http://127.0.0.1:9/fresh")
    outbound.deliveries(fresh, 20)
    found = claim(room=200, retry_room=8)
    assert Counter(one.is_retry for one in found) == {True: 8, False: 16}
    mixed = outbound.deliveries(targets[0], 1)
    assert [one.id for one in claim(retry_room=0)] == [mixed[0].pk]


def test_a_hanging_endpoint_holds_up_nobody() -> None:
    with receivers.hang() as stuck, receivers.ok() as sink:
        slow, quick = outbound.endpoint(stuck.url, timeout_seconds=5), outbound.endpoint(sink.url)
        outbound.deliveries(slow, 10, due_in=-60)
        outbound.deliveries(quick, 200)
        last_quick: list[int] = []
        record = recording.record

        def noted(outcomes: Any, *, token: str) -> None:
            last_quick.append(sum(one.claimed.endpoint_id == quick.pk for one in outcomes))
            assert all(one.claimed.endpoint_id == quick.pk for one in outcomes) or sum(last_quick) == 200
            record(outcomes, token=token)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(recording, "record", noted)
            dispatch.drain()
    assert Delivery.objects.filter(endpoint=quick, status="delivered").count() == 200
    assert set(Attempt.objects.filter(delivery__endpoint=slow).values_list("error_code", flat=True)) == {"timeout"}


def test_leases_in_flight_are_renewed(moment: time_machine.Traveller) -> None:
    target = outbound.endpoint("http://127.0.0.1:9/hook")
    outbound.deliveries(target, 2)
    found = claim()
    moment.shift(10)
    claiming.renew([one.key for one in found], token="t")
    assert set(Delivery.objects.values_list("lease_until", flat=True)) == {NOW + timedelta(seconds=25)}
    claiming.renew([one.key for one in found], token="another")
    moment.shift(10)
    assert claim() == []


def test_a_database_that_goes_away_loses_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    record, calls = recording.record, []

    def failing_once(outcomes: Any, *, token: str) -> None:
        calls.append(len(outcomes))
        if len(calls) == 1:
            raise OperationalError("the server closed the connection")
        record(outcomes, token=token)

    monkeypatch.setattr(recording, "record", failing_once)
    with receivers.ok() as sink:
        outbound.deliveries(outbound.endpoint(sink.url))
        assert dispatch.drain() == 0
        assert dispatch.drain() == 1
    assert len(sink.requests) == 1
    assert Delivery.objects.get().status == "delivered"


def test_one_row_that_the_database_refuses_steps_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    insert = recording._insert_attempts

    def refusing(outcomes: Any) -> None:
        insert([*outcomes, outcomes[0]] if any(one.claimed.id == bad.pk for one in outcomes) else outcomes)
        if any(one.claimed.id == bad.pk for one in outcomes):
            raise recording.IntegrityError("refused")

    monkeypatch.setattr(recording, "_insert_attempts", refusing)
    with receivers.ok() as sink:
        good, bad = outbound.deliveries(outbound.endpoint(sink.url), 2)
        dispatch.drain()
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == ("delivered", "sending")


def test_a_drain_that_runs_out_of_time_hands_over_what_is_in_flight() -> None:
    with receivers.ok() as sink:
        target = outbound.endpoint(sink.url)
        outbound.deliveries(target, 3)
        dispatch.drain(seconds=0)
        assert taken(target) == 3
        assert dispatch.drain() == 3
    assert len(sink.requests) == 3


def test_a_second_drain_in_the_same_process_has_the_first_look_again() -> None:
    with turns._busy:
        assert dispatch.drain() == 0
    assert turns._wanted.is_set()
    assert dispatch.drain() == 0
    assert not turns._wanted.is_set()


def test_told_to_stop_nothing_more_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhooks.services.dispatch.pipeline.stopping", stopping := threading.Event())
    with receivers.ok() as sink:
        outbound.deliveries(outbound.endpoint(sink.url), 3)
        stopping.set()
        assert dispatch.drain() == 0
        assert sink.requests == []


def test_a_drain_waits_for_what_is_due_in_a_moment(moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch) -> None:
    with receivers.ok() as sink:
        outbound.deliveries(outbound.endpoint(sink.url), 1, due_in=0.2)
        moment.move_to(NOW, tick=True)
        assert dispatch.drain() == 0
        assert dispatch.drain(stay_seconds=2) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_deliver_each_exactly_once(moment: time_machine.Traveller) -> None:
    moment.move_to(NOW, tick=True)
    with receivers.ok() as sink:
        targets = [outbound.endpoint(sink.url) for _ in range(4)]
        for target in targets:
            outbound.deliveries(target, 50)
        workers = [threading.Thread(target=_work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    counted = Counter(request.headers["webhook-id"] for request in sink.requests)
    assert len(counted) == 200
    assert set(counted.values()) == {1}
    assert Delivery.objects.filter(status="delivered", attempt_count=1).count() == 200


def _work() -> None:
    try:
        run(Pipeline())
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_what_is_new_leaves_at_once_although_a_request_is_still_open(
    moment: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhooks.services.dispatch.pipeline.LOOK_SECONDS", 30)
    moment.move_to(NOW, tick=True)
    with receivers.hang() as silent, receivers.ok() as sink:
        held = outbound.deliveries(outbound.endpoint(silent.url, timeout_seconds=10), 1)[0]
        other = outbound.endpoint(sink.url)
        worker = threading.Thread(target=_work)
        worker.start()
        silent.wait_for(1)
        outbound.deliveries(other, 1)
        sink.wait_for(1, seconds=5)
        held.refresh_from_db()
        assert held.status == "sending"
        silent.stopped.set()
        worker.join()
