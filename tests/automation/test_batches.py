"""The actions on queues: a batch with its events, one item at once, clearing errors; and what the sampler says."""

from typing import Any

import orjson
import pytest
from django.core.management import call_command

from automation.models import Queue, WorkItem
from automation.samplers.queues import Queues
from automation.services import queues, work
from automation.services.work import taking
from automation.services.work.duties import Watch
from config.acts.models import Invocation
from config.acts.plugins.actions import Call, actions
from config.acts.running import invocations
from config.kernel.flow import clock, routing
from config.kernel.flow.errors import InvalidInput, NotFound, PermanentError, TemporaryError
from config.kernel.flow.outcomes import Done, Failed, NotConfigured, Outcome, Refused, Waiting
from config.kernel.models import Event
from config.kernel.models.base import new_uid
from tests.support import outbound, receivers
from tests.support.work import items, processing, queue, states
from webhooks.services import dispatch

pytestmark = pytest.mark.django_db


def run(key: str, *, call: Call | None = None, **params: Any) -> Outcome:
    """The action with parameters as its form cleans them. Raises InvalidInput as `invocations` does."""
    action = actions.get(f"automation.{key}")
    form = action.Parameters(params)
    if not form.is_valid():
        raise InvalidInput("The parameters cannot be used.", fields=dict(form.errors))
    uid = new_uid("inv_")
    return action.run(form.cleaned_data, call or Call(id=uid, key=uid, owner="system"))


def published() -> list[tuple[str, dict[str, Any]]]:
    """Every `batch.*` event, in order."""
    return [(event.type, event.data) for event in Event.objects.filter(type__startswith="batch.").order_by("id")]


def failing_at(number: int, error: Exception) -> Any:
    """A processor that raises at one item."""

    def answer(item: Any) -> Outcome:
        if item.payload["number"] == number:
            raise error
        return Done()

    return answer


def test_of_twelve_exactly_the_five_oldest_are_taken():
    """S0-60."""
    with processing() as told:
        line = queue()
        items(line, 12, minutes_old=30)
        outcome = run("batch_process", batch_size=5, queue="videos")
    assert told.numbers == [0, 1, 2, 3, 4]
    assert states(line) == ["done"] * 5 + ["waiting"] * 7
    assert isinstance(outcome, Done)
    assert outcome.output["taken"] == 5


@pytest.mark.parametrize(("selection", "numbers"), [("oldest", [0, 1]), ("newest", [5, 4]), ("priority", [5, 0])])
def test_the_selection_decides_which_are_taken(selection, numbers):
    with processing() as told:
        line = queue()
        items(line, 5, minutes_old=30)
        work.enqueue(line, {"number": 5}, priority=3)
        run("batch_process", batch_size=2, queue="videos", queue_selection=selection)
    assert told.numbers == numbers


def test_a_batch_is_announced_at_its_start_and_at_its_end_under_one_id():
    """S0-19, S0-20."""
    with processing():
        line = queue()
        made = items(line, 3)
        outcome = run("batch_process", batch_size=5, queue="videos")
    (start, started), (end, completed) = published()
    assert (start, end) == ("batch.started", "batch.completed")
    assert started["batch_id"] == completed["batch_id"] == outcome.output["batch_id"]
    assert (started["video_count"], started["estimated_time"]) == (3, 0)
    assert [one["item_id"] for one in completed["results"]] == [item.uid for item in made]
    assert {one["status"] for one in completed["results"]} == {"completed"}
    assert completed["total_time"] >= 0


def test_the_estimated_time_comes_from_what_was_measured():
    with processing():
        line = queue()
        items(line, 2)
        work.process(work.take(line, 2))
        WorkItem.objects.update(run_seconds=4.0)
        items(line, 3)
        run("batch_process", batch_size=3, queue="videos")
    assert published()[0][1]["estimated_time"] == 12


def test_an_item_that_fails_for_good_ends_the_batch_and_the_rest_wait_again():
    """S0-21: the third of five fails hard."""
    with processing(failing_at(2, PermanentError("It is no video."))) as told:
        line = queue()
        made = items(line, 5, minutes_old=5)
        outcome = run("batch_process", batch_size=5, queue="videos")
        (_, started), (end, failed) = published()
        assert end == "batch.failed"
        assert failed["batch_id"] == started["batch_id"]
        assert failed["completed_videos"] == [made[0].uid, made[1].uid]
        assert "It is no video." in failed["error"]
        assert states(line) == ["done", "done", "failed", "waiting", "waiting"]
        assert isinstance(outcome, Failed)
        assert told.numbers == [0, 1, 2]
        run("batch_process", batch_size=5, queue="videos")
    assert told.numbers == [0, 1, 2, 3, 4]
    assert list(WorkItem.objects.order_by("id").values_list("attempts", flat=True)) == [1, 1, 1, 1, 1]


def test_an_item_that_is_tried_again_later_does_not_end_the_batch():
    with processing(failing_at(0, TemporaryError("busy"))):
        line = queue()
        items(line, 2, minutes_old=5)
        run("batch_process", batch_size=2, queue="videos")
    assert states(line) == ["waiting", "done"]
    assert {one["status"] for one in published()[1][1]["results"]} == {"retrying", "completed"}


def test_completed_videos_are_named_as_their_sender_names_them():
    with processing(lambda item: Done()):
        line = queue()
        work.enqueue(line, {"video_id": "vid_1"})
        run("batch_process", batch_size=1, queue="videos")
    assert published()[1][1]["results"][0]["video_id"] == "vid_1"


def test_with_nothing_waiting_there_is_no_batch():
    with processing():
        queue()
        outcome = run("batch_process", batch_size=5, queue="videos")
    assert isinstance(outcome, Done)
    assert (outcome.output["taken"], published()) == (0, [])


def test_a_batch_that_is_begun_again_after_a_crash_goes_on_where_it_was():
    with processing() as told:
        line = queue()
        items(line, 5, minutes_old=5)
        call = Call(id="inv_abc", key="inv_abc", owner="system")

        def die(item: Any) -> Outcome:
            if item.payload["number"] == 2:
                raise KeyboardInterrupt  # what ends a process, not an error of the item
            return Done()

        told.answer = die
        with pytest.raises(KeyboardInterrupt):
            run("batch_process", call=call, batch_size=4, queue="videos")
        told.answer = lambda item: Done()
        outcome = run("batch_process", call=call, batch_size=4, queue="videos")
    assert [kind for kind, _ in published()] == ["batch.started", "batch.completed"]
    assert told.numbers == [0, 1, 2, 2, 3]
    assert outcome.output["taken"] == 4
    assert states(line) == ["done"] * 4 + ["waiting"]


def test_a_batch_whose_time_is_up_says_so_and_gives_the_rest_back():
    with processing() as told:
        line = queue()
        items(line, 3)
        outcome = work.run_batch(line, size=3, selection="oldest", batch_id="batch_1", seconds=0)
    assert isinstance(outcome, Failed)
    assert (published()[1][0], published()[1][1]["completed_videos"]) == ("batch.failed", [])
    assert (told.seen, states(line)) == ([], ["waiting"] * 3)


@pytest.mark.parametrize("status", ["timeout", "cancelled", "failed", "running"])
def test_a_batch_whose_call_was_stopped_has_failed_and_that_is_said_once(status):
    params = {"batch_size": 3, "queue": "videos"}
    with processing() as told:
        line = queue()
        made = items(line, 3, minutes_old=5)
        row = invocations.call("automation.batch_process", params, owner="system", caller="test")

        def die(item: Any) -> Outcome:
            if item.payload["number"] == 1:
                raise KeyboardInterrupt
            return Done()

        told.answer = die
        with pytest.raises(KeyboardInterrupt):
            run("batch_process", call=Call(id=row.uid, key=row.uid, owner="system"), **params)
    Invocation.objects.filter(pk=row.pk).update(status=status)
    Watch().work(clock.now(), 10)
    Watch().work(clock.now(), 10)
    ends = [data for kind, data in published() if kind != "batch.started"]
    assert [(one["batch_id"], one["completed_videos"]) for one in ends] == (
        [] if status == "running" else [(published()[0][1]["batch_id"], [made[0].uid])]
    )


@pytest.mark.parametrize(("size", "what"), [(0, "batch_size"), ("many", "batch_size"), (5000, "batch_size")])
def test_a_batch_size_that_cannot_be_is_refused(size, what):
    with pytest.raises(InvalidInput) as refused:
        run("batch_process", batch_size=size)
    assert what in refused.value.fields


def test_the_sink_receives_started_then_completed_with_one_id(settings):
    settings.WEBHOOK_ALLOW_HTTP = True

    def deliver(item: Any = None) -> Outcome:
        routing.route()
        dispatch.drain()
        return Done()

    with receivers.ok() as sink, processing(deliver):
        settings.WEBHOOK_ALLOWED_NETWORKS = [sink.network]
        outbound.endpoint(sink.url, events=["batch.*"])
        items(queue(), 2)
        run("batch_process", batch_size=2, queue="videos")
        deliver()
        came = [orjson.loads(request.body) for request in sink.wait_for(2)]
    assert [one["event"] for one in came] == ["batch.started", "batch.completed"]
    assert len({one["data"]["batch_id"] for one in came}) == 1


def test_one_item_is_made_and_worked_at_once():
    """S0-59."""
    with processing() as told:
        line = queue()
        outcome = run("process_item", video_url="https://v.example/1.mp4", processing_options={"quality": "high"}, queue="videos")
    item = WorkItem.objects.get(queue=line)
    assert told.seen[0].payload == {"video_url": "https://v.example/1.mp4", "processing_options": {"quality": "high"}}
    assert isinstance(outcome, Done)
    assert (item.status, outcome.output["item_id"]) == ("done", item.uid)


@pytest.mark.parametrize("params", [{}, {"video_url": ""}, {"video_url": "no address"}, {"video_url": "file:///etc/passwd"}])
def test_without_an_address_there_is_no_item(params):
    with pytest.raises(InvalidInput) as refused:
        run("process_item", **params)
    assert list(refused.value.fields) == ["video_url"]
    assert not WorkItem.objects.exists()


def test_without_a_processor_the_action_is_not_configured_and_makes_no_item():
    outcome = run("process_item", video_url="https://v.example/1.mp4")
    assert isinstance(outcome, NotConfigured)
    assert "The queue default has no processor" in outcome.what
    assert not WorkItem.objects.exists()


def test_a_paused_queue_refuses_both_actions():
    with processing():
        queues.pause(queue(), reason="maintenance")
        assert isinstance(run("process_item", video_url="https://v.example/1", queue="videos"), Refused)
        assert isinstance(run("batch_process", batch_size=1, queue="videos"), Refused)


def test_an_unknown_queue_is_named():
    with pytest.raises(NotFound, match="no queue 'nothing'"):
        run("batch_process", batch_size=1, queue="nothing")


def test_one_item_that_is_to_be_tried_again_keeps_the_call_waiting_and_ends_it_later():
    call = Call(id="inv_1", key="inv_1", owner="system")
    with processing(failing_at(0, TemporaryError("busy"))) as told:
        line = queue()
        told.answer = lambda item: (_ for _ in ()).throw(TemporaryError("busy"))
        waiting = run("process_item", call=call, video_url="https://v.example/1", queue="videos")
        item = WorkItem.objects.get(queue=line)
        assert isinstance(waiting, Waiting)
        assert waiting.resume_at == item.next_attempt_at
        WorkItem.objects.update(next_attempt_at=clock.now())
        told.answer = lambda item: Done()
        assert isinstance(run("process_item", call=call, video_url="https://v.example/1", queue="videos"), Done)
    assert [seen.attempt for seen in told.seen] == [1, 2]


def test_one_item_that_fails_says_why_and_stays_in_the_error_queue():
    with processing() as told:
        line = queue()
        told.answer = lambda item: Failed("no_clip", "No clip was found.")
        outcome = run("process_item", video_url="https://v.example/1", queue="videos")
    assert isinstance(outcome, Failed)
    assert (outcome.code, states(line)) == ("no_clip", ["failed"])


def test_clearing_error_queues_of_all_or_of_one():
    def failed(line: Queue) -> None:
        items(line, 1)
        WorkItem.objects.filter(queue=line).update(status="failed", ended_at=clock.now())

    failed(queue())
    failed(queue("other"))
    assert run("clear_error_queues", queue="videos") == Done({"queue": "videos", "archived": 1})
    assert run("clear_error_queues") == Done({"queue": "all", "archived": 1})


def test_the_sampler_measures_each_queue_and_all_of_them():
    sampler = Queues()
    items(queue(), 4, minutes_old=5)
    items(queue("other"), 2, minutes_old=1)
    found = sampler.measure()
    assert (found["queue_items"], found["queues.videos.depth"], found["queues.other.depth"]) == (6, 4, 2)
    assert found["queue_oldest_age"] == found["queues.videos.oldest_age"] == pytest.approx(300, abs=2)
    known = {fact.name for fact in sampler.facts()}
    assert {name if "." not in name else f"queues.<name>.{name.rpartition('.')[2]}" for name in found} == known


def test_without_a_queue_nothing_is_measured():
    queues.delete(queues.find("default"))
    assert Queues().measure() == {}


def test_the_duties_are_on_the_schedule():
    from django_celery_beat.models import PeriodicTask

    call_command("migrate", verbosity=0)
    assert PeriodicTask.objects.filter(name__in=["queues", "queues tidy"]).count() == 2


def test_a_batch_leaves_alone_what_another_one_has():
    with processing() as told:
        line = queue()
        items(line, 3, minutes_old=5)
        other = taking.take(line, 1, batch="batch_other")
        run("batch_process", batch_size=3, queue="videos")
    assert told.numbers == [1, 2]
    assert other.items[0].uid == WorkItem.objects.get(status="processing").uid
