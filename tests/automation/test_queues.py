"""Queues as such: made, checked, changed, paused, deleted; how long they are and what is said when they get too long."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from automation.models import Queue, WorkItem
from automation.services import queues, work
from automation.services.work import delays
from config.kernel.flow import clock, context
from config.kernel.flow.errors import Conflict, InvalidInput, LimitReached, NotFound
from config.kernel.flow.outcomes import Done
from config.kernel.models import AuditRecord, Event
from config.kernel.wire.redact import MASK
from tests.support.work import aged, items, processing, queue, states

pytestmark = pytest.mark.django_db


def test_the_default_queue_is_there_after_migrating_and_only_collects():
    line = queues.find("default")
    assert (line.processor, line.is_paused) == ("", False)
    queues.ensure_default()
    assert Queue.objects.filter(slug="default").count() == 1


def test_a_deleted_default_queue_does_not_come_back():
    queues.delete(queues.find("default"))
    queues.ensure_default()
    assert not Queue.living.exists()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"slug": "Two words"}, "slug"),
        ({"slug": "1st"}, "slug"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_length": True}, "max_length"),
        ({"delayed_depth": -1}, "delayed_depth"),
        ({"retry_strategy": "never"}, "retry_strategy"),
        ({"processor": "automation.nothing"}, "processor"),
        ({"parameters": {"url": "https://a.example"}}, "parameters"),
        ({"processor": "automation.http_call"}, "parameters.url"),
        ({"processor": "automation.http_call", "parameters": {"url": "not a url", "timeout_seconds": 5}}, "parameters.url"),
        ({"processor": "automation.http_call", "parameters": {"url": "https://a.example", "timeout_seconds": 5, "x": 1}}, "parameters.x"),
        ({"processor": "automation.command", "parameters": {"program": "rm", "timeout_seconds": 5}}, "parameters.program"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields, name):
    with pytest.raises(InvalidInput) as refused:
        queues.create(**{"slug": "videos", **fields})
    assert name in refused.value.fields
    assert not Queue.objects.filter(slug="videos").exists()


def test_a_slug_is_taken_once_and_free_again_after_deletion():
    first = queue()
    with pytest.raises(Conflict, match="queue 'videos' already"):
        queue()
    items(first, 2)
    assert queues.delete(first) == 2
    assert states(first) == ["cancelled", "cancelled"]
    assert queue().pk != first.pk


def test_a_secret_parameter_is_stored_encrypted_shown_masked_and_kept_when_it_comes_back_masked():
    line = queue(processor="automation.http_call", parameters={"url": "https://a.example/x", "token": "hush", "timeout_seconds": 5})
    assert queues.shown_parameters(line) == {"url": "https://a.example/x", "token": MASK, "timeout_seconds": 5}
    queues.update(line, parameters={"url": "https://b.example/x", "token": MASK, "timeout_seconds": 7})
    line.refresh_from_db()
    assert line.parameters == {"url": "https://b.example/x", "token": "hush", "timeout_seconds": 7}


def test_an_update_changes_what_it_names_and_is_recorded():
    line = queue()
    queues.update(line, name="Videos", max_attempts=7)
    line.refresh_from_db()
    assert (line.name, line.max_attempts, line.max_length) == ("Videos", 7, 10_000)
    assert AuditRecord.objects.filter(action="queue.updated").count() == 1


def test_a_queue_is_found_by_id_and_by_name():
    line = queue()
    assert queues.find(line.uid) == queues.find("videos") == line
    with pytest.raises(NotFound, match="default, videos"):
        queues.find("nothing")


def test_the_same_key_is_the_same_item_whatever_became_of_it():
    line = queue()
    first = work.enqueue(line, {"n": 1}, key="order-7")
    work.cancel(first)
    again = work.enqueue(line, {"n": 2}, key="order-7")
    assert (again.uid, again.status, again.payload) == (first.uid, "cancelled", {"n": 1})
    assert work.enqueue(queue("other"), {"n": 2}, key="order-7").uid != first.uid


def test_a_full_queue_refuses_all_of_them_with_a_sentence():
    line = queue(max_length=3)
    items(line, 2)
    with pytest.raises(LimitReached, match=r"The queue videos is full: 2 items wait, 3 may, and 2 more came\.") as refused:
        items(line, 2)
    assert (refused.value.status, refused.value.code) == (429, "queue_full")
    assert len(items(line, 1)) == 1
    assert len(states(line)) == 3


def test_a_repeated_key_needs_no_room():
    line = queue(max_length=1)
    first = work.enqueue(line, {}, key="a")
    assert work.enqueue(line, {}, key="a").uid == first.uid


@pytest.mark.parametrize("payload", [[1], "text", {"big": "x" * 70_000}])
def test_a_payload_that_cannot_be_is_refused(payload: Any):
    line = queue()
    with pytest.raises(InvalidInput):
        work.enqueue(line, payload)
    assert states(line) == []


def test_many_come_back_in_the_order_in_which_they_were_given():
    line = queue()
    drafts = [work.Draft({"n": 0}), work.Draft({"n": 1}, key="k"), work.Draft({"n": 2}), work.Draft({"n": 3}, key="k")]
    assert [item.payload["n"] for item in work.enqueue_many(line, drafts)] == [0, 1, 2, 1]
    assert len(states(line)) == 3


def test_an_item_remembers_the_event_that_brought_it():
    line = queue()
    with context.using(cause_uid="evt_1", correlation_id="c-1", hops=2, actor="alice"):
        item = work.enqueue(line, {})
    assert (item.cause_uid, item.correlation_id, item.hops, item.added_by) == ("evt_1", "c-1", 2, "alice")


@pytest.mark.parametrize(("count", "minutes"), [(10, 11), (11, 9), (11, 10)])
def test_depth_and_age_are_what_a_rule_compares(count, minutes):
    """S0-51: more than ten, the oldest at least ten minutes old. The trigger compares; these are the numbers."""
    line = queue()
    with time_machine.travel(clock.now(), tick=False):
        items(line, count, minutes_old=minutes)
        found = work.figures(line)
    assert (found.depth, found.oldest_age_seconds) == (count, minutes * 60)


def test_figures_tell_what_was_done_of_late_and_how_long_the_rest_will_take():
    with processing(), time_machine.travel(clock.now(), tick=False) as moment:
        line = queue()
        items(line, 10)
        work.process(work.take(line, 5))
        moment.shift(timedelta(seconds=60))
        found = work.figures(line)
        assert (found.depth, found.done_recently, found.throughput_per_minute) == (5, 5, 1.0)
        assert found.estimated_delay_seconds == 300
        moment.shift(timedelta(minutes=5))
        stale = work.figures(line)
        assert (stale.throughput_per_minute, stale.estimated_delay_seconds) == (0, 355)  # the oldest waits that long


def delayed() -> list[dict[str, Any]]:
    """The data of every `processing.delayed`."""
    return [event.data for event in Event.objects.filter(type="processing.delayed").order_by("id")]


def test_a_queue_without_thresholds_is_not_late_any_more():
    line = queue(delayed_depth=1)
    items(line, 2)
    line.refresh_from_db()
    assert work.figures(line).is_delayed
    queues.update(line, delayed_depth=None)
    line.refresh_from_db()
    assert not work.figures(line).is_delayed


def test_delay_is_announced_once_when_the_threshold_is_passed_and_again_after_recovery():
    with processing():
        line = queue(delayed_depth=3)
        items(line, 3)
        assert delayed() == []
        items(line, 2)
        items(line, 4)
        assert [one["queue_depth"] for one in delayed()] == [5]
        work.process(work.take(line, 6))
        assert work.figures(line).depth == 3  # at the threshold, not below: still the same delay
        items(line, 1)
        assert len(delayed()) == 1
        work.process(work.take(line, 2))
        items(line, 5)
        assert [one["queue_depth"] for one in delayed()] == [5, 7]


def test_the_estimated_delay_is_seconds_at_the_present_pace():
    with processing(lambda item: Done()), time_machine.travel(clock.now(), tick=False):
        line = queue(delayed_depth=9)
        items(line, 5)
        work.process(work.take(line, 5))
        items(line, 10)
    assert [(one["queue_depth"], one["estimated_delay"]) for one in delayed()] == [(10, 600)]


def test_a_queue_whose_items_only_grow_old_is_announced_by_the_watch():
    line = queue(delayed_age_seconds=60)
    [item] = items(line, 1)
    assert delays.look_at_all() == 0
    aged(item, timedelta(seconds=61))
    assert (delays.look_at_all(), delays.look_at_all()) == (1, 0)
    assert [(one["queue_depth"], one["estimated_delay"]) for one in delayed()] == [(1, pytest.approx(61, abs=2))]


def test_old_items_go_and_open_ones_stay():
    from automation.services.work import retention

    line = queue()
    rows = items(line, 5)
    states_then = ("done", "failed", "archived", "waiting", "done")
    for item, status in zip(rows, states_then, strict=True):
        WorkItem.objects.filter(pk=item.pk).update(status=status, ended_at=clock.now() - timedelta(days=8), queued_at=item.queued_at)
    WorkItem.objects.filter(pk=rows[4].pk).update(ended_at=clock.now() - timedelta(days=6))
    assert retention.remove(clock.now()) == 2
    assert states(line) == ["failed", "waiting", "done"]
    assert retention.remove(clock.now() + timedelta(days=30)) == 2
    assert states(line) == ["waiting"]


def test_a_change_leaves_alone_what_somebody_else_did_meanwhile():
    line = queue()
    read_before = queues.find("videos")
    queues.pause(line, reason="They move.")
    queues.update(read_before, name="Videos")
    stored = queues.find("videos")
    assert (stored.name, stored.is_paused, stored.pause_reason) == ("Videos", True, "They move.")
