"""Items: taken once, worked, tried again, lost and found, put back, cancelled, cleared away."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import Queue, WorkItem
from automation.services import queues, work
from automation.services.work import taking
from automation.services.work.duties import Watch
from config.acts.plugins.processors import processors
from config.kernel.flow import clock, context
from config.kernel.flow.errors import Conflict, InvalidInput, LimitReached, PermanentError, TemporaryError
from config.kernel.flow.outcomes import Done, NotConfigured, Outcome, Waiting
from config.kernel.models import Notification
from tests.support.factories import DeliveryFactory
from tests.support.work import items, processing, queue, states
from webhooks.enums import DeliveryStatus
from webhooks.models import Delivery

pytestmark = pytest.mark.django_db


def raising(error: Exception) -> Any:
    """A processor that raises."""

    def answer(item: Any) -> Outcome:
        raise error

    return answer


def one(line: Queue) -> WorkItem:
    """The only item of the queue, as it is stored."""
    return WorkItem.objects.get(queue=line)


@pytest.mark.parametrize("answer", [lambda item: Done({"say\0": "a\0b", "list": ["\0"]}), raising(PermanentError("It said a\0b."))])
def test_what_no_database_takes_is_written_down_with_a_mark_in_its_place(answer):
    with processing(answer):
        line = queue()
        items(line, 1)
        [settled] = work.process(work.take(line, 1))
    stored = one(line)
    assert stored.status == settled.then.status
    assert (stored.result, stored.error_message) in [
        ({"say\ufffd": "a\ufffdb", "list": ["\ufffd"]}, ""),
        (None, "It said a\ufffdb."),
    ]


def test_what_comes_back_to_a_queue_that_was_deleted_meanwhile_is_cancelled():
    with processing(raising(TemporaryError("Nobody answers."))):
        line = queue()
        items(line, 1)
        taken = work.take(line, 1)
        queues.delete(line)
        work.process(taken)
    assert states(line) == ["waiting"]
    Watch().work(clock.now(), 100)
    assert (states(line), one(line).ended_at is None) == (["cancelled"], False)


@pytest.mark.parametrize(("selection", "numbers"), [("oldest", [0, 1, 2]), ("newest", [5, 4, 3]), ("priority", [4, 5, 0])])
def test_which_are_taken_first(selection, numbers):
    line = queue()
    items(line, 4, minutes_old=10)
    for number in (4, 5):
        work.enqueue(line, {"number": number}, priority=3)
    assert [item.payload["number"] for item in work.take(line, 3, selection=selection).items] == numbers


def test_an_unknown_selection_is_refused_with_those_that_there_are():
    with pytest.raises(InvalidInput, match="oldest, newest, priority"):
        work.take(queue(), 1, selection="random")


def test_what_is_taken_is_not_taken_again_and_what_is_given_back_keeps_its_place():
    line = queue()
    items(line, 3, minutes_old=5)
    first = work.take(line, 2)
    assert [item.payload["number"] for item in work.take(line, 5).items] == [2]
    assert taking.release(first, first.items) == 2
    assert [item.payload["number"] for item in work.take(line, 5).items] == [0, 1]


def test_a_limit_counts_what_is_at_work():
    line = queue(max_in_progress=2)
    items(line, 5)
    assert [len(work.take(line, 5, within_limit=True).items) for _ in range(2)] == [2, 0]


@pytest.mark.django_db(transaction=True)
def test_two_takers_at_once_never_take_one_item():
    line = queue()
    items(line, 60)
    barrier, taken, errors = threading.Barrier(3), list[str](), list[Exception]()

    def take() -> None:
        try:
            barrier.wait(10)
            while found := work.take(line, 3).items:
                taken.extend(item.uid for item in found)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert len(taken) == len(set(taken)) == 60


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_never_exceed_the_limit():
    line = queue(max_in_progress=4)
    items(line, 40)
    barrier, counts = threading.Barrier(4), list[int]()

    def take() -> None:
        barrier.wait(10)
        counts.append(len(work.take(line, 3, within_limit=True).items))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(counts) == 4


@pytest.mark.django_db(transaction=True)
def test_the_last_place_of_a_queue_is_given_once():
    line = queue(max_length=5)
    items(line, 4)
    barrier, full = threading.Barrier(3), list[bool]()

    def put() -> None:
        barrier.wait(10)
        try:
            work.enqueue(line, {})
            full.append(False)
        except LimitReached:
            full.append(True)
        finally:
            connection.close()

    threads = [threading.Thread(target=put) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(full) == [False, True, True]


def test_a_worked_item_is_done_with_its_result():
    with processing() as told:
        line = queue()
        items(line, 1, key="k")
        work.process(work.take(line, 1))
    item = one(line)
    assert (item.status, item.attempts, item.result, item.lease_token) == ("done", 1, {"seen": {"number": 0}}, "")
    assert (told.seen[0].id, told.seen[0].key, told.seen[0].queue, told.seen[0].attempt) == (item.uid, "k", "videos", 1)


def test_a_temporary_failure_is_tried_again_by_the_policy_and_fails_in_the_end():
    with processing(raising(TemporaryError("busy", code="busy"))), time_machine.travel(clock.now(), tick=False) as moment:
        line = queue(max_attempts=2, retry_strategy="fixed", retry_base_seconds=10)
        items(line, 1)
        work.process(work.take(line, 1))
        item = one(line)
        assert (item.status, item.state, item.attempts) == ("waiting", "retrying", 1)
        assert 10 <= (item.next_attempt_at - clock.now()).total_seconds() <= 11
        assert work.take(line, 1).items == []
        moment.shift(timedelta(seconds=11))
        work.process(work.take(line, 1))
    item = one(line)
    assert (item.status, item.error_code, item.attempts) == ("failed", "busy", 2)
    assert "attempt 2 of 2" in item.error_message


@pytest.mark.parametrize(
    ("error", "code"), [(PermanentError("It is no video."), "invalid"), (ZeroDivisionError("division by zero"), "crashed")]
)
def test_what_cannot_be_helped_fails_at_once(error, code):
    with processing(raising(error)):
        line = queue(max_attempts=5)
        items(line, 1)
        work.process(work.take(line, 1))
    item = one(line)
    assert (item.status, item.error_code, item.attempts) == ("failed", code, 1)


def test_a_processor_may_ask_to_be_called_later_which_is_no_attempt():
    later = clock.now() + timedelta(minutes=3)
    with processing(lambda item: Waiting(later)):
        line = queue()
        items(line, 1)
        work.process(work.take(line, 1))
    item = one(line)
    assert (item.status, item.attempts, item.next_attempt_at) == ("waiting", 0, later)


def test_one_that_wants_to_be_called_again_at_once_does_not_hold_up_the_others():
    with processing(lambda item: Waiting(clock.now()) if item.payload["number"] == 0 else Done()) as told:
        line = queue(is_automatic=True)
        items(line, 3)
        assert work.drain(line, seconds=5) == 3
    assert told.numbers == [0, 1, 2]


def test_a_queue_whose_processor_is_not_configured_is_paused_and_loses_nothing():
    with processing(lambda item: NotConfigured("STEWARD_COMMANDS_FILE names no file.")) as told:
        line = queue()
        items(line, 3)
        work.process(work.take(line, 3))
    line.refresh_from_db()
    assert (line.is_paused, line.pause_reason) == (True, "Not configured: STEWARD_COMMANDS_FILE names no file.")
    assert (states(line), len(told.seen)) == (["waiting"] * 3, 1)
    assert list(WorkItem.objects.values_list("attempts", flat=True)) == [0, 0, 0]
    assert Notification.objects.filter(title="The queue videos is paused").count() == 1


def test_a_result_that_is_too_large_is_cut():
    with processing(lambda item: Done({"text": "x" * 100_000})):
        line = queue()
        items(line, 1)
        work.process(work.take(line, 1))
    kept: Any = one(line).result
    assert (kept["bytes"], len(kept["cut"])) == (100_011, 32_768)


@pytest.mark.parametrize(
    "answer",
    [
        lambda item: Done({"reply": {"headers": ["Authorization: Bearer hush-hush-7"], "number": 7}}),
        raising(PermanentError("I do not know hush-hush-7.")),
    ],
)
def test_a_queues_secret_that_comes_back_is_not_kept_with_the_item(answer, monkeypatch):
    with processing(answer) as told:
        monkeypatch.setattr(told, "Parameters", processors.get("automation.http_call").Parameters)
        line = queue(parameters={"url": "https://example.com/", "token": "hush-hush-7"})
        items(line, 1)
        work.process(work.take(line, 1))
    item = one(line)
    assert (item.result, item.error_message) in [
        ({"reply": {"headers": ["Authorization: Bearer ********"], "number": 7}}, ""),
        (None, "I do not know ********."),
    ]


def test_what_a_processor_publishes_belongs_to_the_chain_that_brought_the_item():
    seen = []

    def answer(item: Any) -> Outcome:
        seen.append(context.current())
        return Done()

    with processing(answer):
        line = queue()
        with context.using(cause_uid="evt_1", correlation_id="c-1", hops=2):
            work.enqueue(line, {})
        work.process(work.take(line, 1))
    assert [(one.cause_uid, one.correlation_id, one.hops) for one in seen] == [("evt_1", "c-1", 2)]


def test_leases_are_renewed_when_time_has_passed_and_not_for_each_item(time_machine):
    until = []

    def answer(item):
        until.append(WorkItem.objects.values_list("lease_until", flat=True).order_by("-id").first())
        if item.payload["number"] == 2:
            time_machine.shift(20)
        return Done()

    time_machine.move_to(clock.now(), tick=False)
    with processing(answer), CaptureQueriesContext(connection) as seen:
        line = queue(timeout_seconds=60)
        items(line, 6)
        work.process(work.take(line, 6))
    assert sum(one["sql"].startswith('UPDATE "automation_workitem" SET "lease_until"') for one in seen) == 1
    assert [(one - until[0]).total_seconds() for one in until] == [0, 0, 0, 20, 20, 20]


def test_an_item_whose_worker_vanished_is_found_and_worked_by_the_next():
    with processing() as told, time_machine.travel(clock.now(), tick=False) as moment:
        line = queue(timeout_seconds=60)
        items(line, 2)
        taken = work.take(line, 2)
        assert taking.begin(taken, taken.items[0])
        moment.shift(timedelta(seconds=89))
        assert work.take(line, 2).items == []
        moment.shift(timedelta(seconds=1))
        work.process(work.take(line, 2))
    assert told.numbers == [0, 1]
    rows = list(WorkItem.objects.order_by("id").values_list("status", "attempts", "deaths"))
    assert rows == [("done", 2, 1), ("done", 1, 0)]


def test_an_item_that_takes_its_worker_along_three_times_is_quarantined():
    with processing(), time_machine.travel(clock.now(), tick=False) as moment:
        line = queue(max_attempts=10)
        items(line, 1)
        for _ in range(3):
            taken = work.take(line, 1)
            assert taking.begin(taken, taken.items[0])
            moment.shift(timedelta(hours=1))
        Watch().work(clock.now(), 100)
    item = one(line)
    assert (item.status, item.error_code, item.deaths) == ("failed", "quarantined", 3)


def test_whoever_lost_an_item_does_not_write_down_its_end():
    with processing() as told, time_machine.travel(clock.now(), tick=False) as moment:
        line = queue()
        items(line, 1)
        slow = work.take(line, 1)
        assert taking.begin(slow, slow.items[0])
        moment.shift(timedelta(hours=1))
        assert work.recover(line) == 1
        told.answer = lambda item: Done({"by": "the second"})
        work.process(work.take(line, 1))
        assert work.process(slow) == []
    assert (one(line).result, len(told.seen)) == ({"by": "the second"}, 1)


def test_draining_works_the_most_urgent_first_until_nothing_is_due():
    with processing() as told:
        line = queue(is_automatic=True)
        items(line, 2, minutes_old=5)
        work.enqueue(line, {"number": 2}, priority=3)
        assert list(work.due_queues()) == [line]
        assert work.drain(line, seconds=30) == 3
    assert told.numbers == [2, 0, 1]
    assert list(work.due_queues()) == []


@pytest.mark.parametrize("fields", [{"is_automatic": False}, {"processor": ""}])
def test_a_queue_that_is_not_worked_off_by_itself_is_left_alone(fields):
    with processing() as told:
        line = queue(**{"is_automatic": True, **fields})
        items(line, 1)
        assert list(work.due_queues()) == []
    assert told.seen == []


def test_a_paused_queue_collects_and_goes_on_when_resumed():
    with processing() as told:
        line = queue(is_automatic=True)
        assert queues.pause(line, reason="until noon")
        assert not queues.pause(line)
        items(line, 1)
        assert list(work.due_queues()) == []
        assert work.drain(line, seconds=5) == 0
        assert queues.resume(line)
        assert work.drain(line, seconds=5) == 1
    assert told.numbers == [0]


def test_pausing_in_the_middle_ends_the_draining_after_the_item():
    with processing() as told:
        line = queue(is_automatic=True)
        items(line, 3)
        told.answer = lambda item: (queues.pause(line), Done())[1]
        assert work.drain(line, seconds=5) == 1
    assert states(line) == ["done", "waiting", "waiting"]


def test_clearing_the_error_queue_archives_three_and_leaves_two_and_the_dead_letters():
    """S0-57."""
    with processing(raising(PermanentError("poison"))):
        line = queue()
        items(line, 3)
        work.process(work.take(line, 3))
        items(line, 2)
    dead = DeliveryFactory(ended=DeliveryStatus.DEAD)
    assert (work.figures(line).failed, work.figures(line).depth) == (3, 2)
    assert work.clear_errors(line) == 3
    assert (work.figures(line).failed, work.figures(line).depth) == (0, 2)
    assert states(line) == ["archived"] * 3 + ["waiting"] * 2
    assert Delivery.objects.get(pk=dead.pk).status == DeliveryStatus.DEAD


def test_a_failed_item_that_is_put_back_has_all_its_attempts_again():
    with processing(raising(PermanentError("poison"))) as told:
        line = queue()
        items(line, 2)
        work.process(work.take(line, 2))
        assert work.requeue(one_of(line, 0))
        assert work.requeue_failed(line) == 1
        told.answer = lambda item: Done()
        work.process(work.take(line, 2))
    assert list(WorkItem.objects.values_list("status", "attempts")) == [("done", 1), ("done", 1)]


def one_of(line: Queue, number: int) -> WorkItem:
    """An item by its number."""
    return work.find(WorkItem.objects.filter(queue=line).order_by("id")[number].uid)


def test_what_waits_for_its_next_attempt_can_be_hurried_and_what_is_due_is_left_alone():
    with processing(raising(TemporaryError("busy"))):
        line = queue()
        items(line, 1)
        assert not work.requeue(one_of(line, 0))
        work.process(work.take(line, 1))
        assert work.requeue(one_of(line, 0))
        assert len(work.take(line, 1).items) == 1


def test_what_is_done_or_at_work_cannot_be_put_back():
    with processing():
        line = queue()
        items(line, 1)
        taken = work.take(line, 1)
        with pytest.raises(Conflict, match="is processing"):
            work.requeue(one_of(line, 0))
        work.process(taken)
        with pytest.raises(Conflict, match="is done"):
            work.requeue(one_of(line, 0))


def test_a_cancelled_item_is_not_worked_even_when_it_was_taken():
    with processing() as told:
        line = queue()
        items(line, 2)
        taken = work.take(line, 2)
        assert work.cancel(one_of(line, 0))
        assert not work.cancel(one_of(line, 0))
        work.process(taken)
    assert (told.numbers, states(line)) == ([1], ["cancelled", "done"])
