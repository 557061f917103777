"""Queues that are worked off by themselves: the calls that do it, through the real executor; and the actions by their addresses."""

from datetime import timedelta
from typing import Any

import pytest

from automation.models import WorkItem
from automation.services import work
from automation.services.work import draining
from automation.services.work.duties import Work
from config.acts.models import Invocation
from config.acts.running import invocations
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput
from config.kernel.plugins.contracts import duties
from tests.support.work import items, processing, queue, states

pytestmark = pytest.mark.django_db
CALLS = Invocation.objects.filter(action="automation.work_off")


def test_as_many_calls_are_made_as_the_queue_allows_and_no_more():
    with processing():
        line = queue(is_automatic=True, max_in_progress=3)
        items(line, 10)
        assert Work().due_count(clock.now()) == 1
        Work().work(clock.now(), 100)
        assert CALLS.count() == 3
        assert Work().due_count(clock.now()) == 0
        Work().work(clock.now(), 100)
    assert CALLS.count() == 3
    assert set(CALLS.values_list("owner", "caller", "follower")) == {("system", f"queue:{line.uid}", "automation.work")}


def test_one_item_needs_one_call():
    with processing():
        items(queue(is_automatic=True, max_in_progress=3), 1)
        Work().work(clock.now(), 100)
    assert CALLS.count() == 1


def test_after_a_bad_end_the_next_call_waits_a_while():
    with processing():
        items(queue(is_automatic=True), 1)
        Work().work(clock.now(), 100)
        CALLS.update(status="failed", ended_at=clock.now())
        assert Work().due_count(clock.now()) == 0
        CALLS.update(ended_at=clock.now() - timedelta(seconds=11))
        assert Work().due_count(clock.now()) == 1


def test_a_call_has_the_time_of_its_turn_and_one_attempt():
    with processing():
        items(queue(is_automatic=True, timeout_seconds=90), 1)
        Work().work(clock.now(), 100)
    assert CALLS.get().timeout_seconds == 120


def test_the_action_works_items_off_until_none_is_due():
    from config.acts.plugins.actions import Call, actions

    with processing() as told:
        line = queue(is_automatic=True)
        items(line, 3)
        outcome: Any = actions.get("automation.work_off").run({"queue": "videos"}, Call(id="inv_1", key="k", owner="system"))
    assert (outcome.output["worked"], len(told.seen), states(line)) == (3, 3, ["done"] * 3)


def test_an_item_that_comes_nudges_the_duty():
    assert duties.get("automation.work").queue == "default"
    with processing():
        items(queue(is_automatic=True), 1)
        assert [line.slug for line in draining.waiting_queues()] == ["videos"]


@pytest.mark.parametrize(
    ("action", "params", "field"),
    [
        ("automation.process_item", {}, "video_url"),
        ("automation.process_item", {"video_url": "x"}, "video_url"),
        ("automation.process_item", {"video_url": "https://v.example/1", "processing_options": "no object"}, "processing_options"),
        ("automation.batch_process", {"batch_size": 0}, "batch_size"),
        ("automation.batch_process", {"batch_size": 5, "queue_selection": "random"}, "queue_selection"),
    ],
)
def test_a_call_with_wrong_parameters_is_refused_by_name(action, params, field):
    with pytest.raises(InvalidInput) as refused:
        invocations.call(action, params, owner="system", caller="test")
    assert field in refused.value.fields
    assert not Invocation.objects.exists()


def test_the_parameters_of_the_source_are_taken_as_they_are_printed():
    assert invocations.clean("automation.batch_process", {"batch_size": 5, "queue_selection": "oldest"})["batch_size"] == 5
    given = {"video_url": "https://v.example/1.mp4", "processing_options": {"quality": "high"}}
    assert invocations.clean("automation.process_item", given)["processing_options"] == {"quality": "high"}


def test_an_item_beside_a_batch_is_within_the_limit():
    with processing():
        line = queue(is_automatic=True, max_in_progress=2)
        items(line, 4)
        work.take(line, 2)
        assert draining.waiting_queues() == []
        WorkItem.objects.filter(status="processing").update(lease_until=clock.now())
        assert draining.waiting_queues() == [line]
