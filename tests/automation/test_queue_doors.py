"""The doors to queues: API, command, pages, admin, search, stories. Each is one call of a service; these tests ask what comes out."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from automation.models import Queue, WorkItem
from automation.services import queues, work
from config.kernel.flow import clock
from config.kernel.flow.errors import PermanentError
from config.kernel.flow.outcomes import Done
from config.kernel.plugins.contracts import finders, storytellers
from config.kernel.wire.redact import MASK
from tests.support.api import OPERATOR, VIEWER, Caller
from tests.support.factories import EventFactory
from tests.support.pages import client_of, said, statements, text_of
from tests.support.work import items, processing, queue, states

pytestmark = pytest.mark.django_db
BASE = "/api/v1/automation/queues"
CALL = {"processor": "automation.http_call", "parameters": {"url": "https://a.example/x", "token": "hush", "timeout_seconds": 5}}


def failed(line: Queue, count: int = 1) -> list[WorkItem]:
    """Items of the error queue."""
    found = items(line, count)
    WorkItem.objects.filter(pk__in=[item.pk for item in found]).update(status="failed", ended_at=clock.now(), error_code="bad")
    return found


# --- the API ----------------------------------------------------------------------------------


def test_a_queue_is_made_read_changed_and_deleted_by_the_api():
    api = Caller()
    made = api.post(BASE, {"slug": "videos", "delayed_depth": 10, **CALL})
    assert made.status_code == 201, made.content
    assert made.json()["parameters"] == {"url": "https://a.example/x", "token": MASK, "timeout_seconds": 5}
    assert api.get(f"{BASE}/{made.json()['id']}").json() == api.get(f"{BASE}/videos").json()
    assert api.patch(f"{BASE}/videos", {"max_attempts": 9}).json()["max_attempts"] == 9
    assert Queue.living.get(slug="videos").parameters["token"] == "hush"
    assert [one["slug"] for one in api.get(BASE).json()["results"]] == ["default", "videos"]
    assert api.delete(f"{BASE}/videos").status_code == 204
    assert api.get(f"{BASE}/videos").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "slug"),
        ({"slug": "Two words"}, 400, "slug"),
        ({"slug": "videos", "max_attempts": 0}, 400, "max_attempts"),
        ({"slug": "videos", "processor": "automation.nothing"}, 400, "processor"),
        ({"slug": "videos", "processor": "automation.http_call", "parameters": {}}, 400, "parameters.url"),
        ({"slug": "default"}, 409, ""),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(body, status, field):
    answer = Caller().post(BASE, body)
    assert answer.status_code == status
    assert not field or field in answer.json()["errors"]


def test_what_is_left_out_of_the_parameters_has_the_value_that_the_form_begins_with():
    made = Caller().post(BASE, {"slug": "videos", "processor": "automation.http_call", "parameters": {"url": "https://a.example/x"}})
    assert (made.status_code, made.json()["parameters"]["timeout_seconds"]) == (201, 30), made.content


def test_a_misspelt_parameter_is_refused_with_the_likeliest():
    answer = Caller().post(BASE, {"slug": "videos", **CALL, "parameters": {"url": "https://a.example/x", "tokn": "hush"}})
    assert answer.json()["errors"] == {"parameters.tokn": ["There is no such parameter. Did you mean token?"]}


def test_items_are_put_in_listed_and_read_by_the_api():
    api, line = Caller(OPERATOR), queue()
    one = api.post(f"{BASE}/videos/items", {"payload": {"a": 1}, "key": "k", "priority": "high"}).json()
    again = api.post(f"{BASE}/videos/items", {"payload": {"a": 2}, "key": "k"}).json()
    assert (one["id"], one["payload"], one["priority"]) == (again["id"], again["payload"], "high")
    many = api.post(f"{BASE}/videos/items/batch", {"items": [{"payload": {"n": 1}}, {"payload": {"n": 2}}]})
    assert [row["status"] for row in many.json()] == ["waiting", "waiting"]
    listed = api.get(f"{BASE}/videos/items", status="waiting").json()
    assert listed["count"] == 3
    assert api.get(f"{BASE}/videos/items/{one['id']}").json()["payload"] == {"a": 1}
    assert api.get(f"{BASE}/default/items/{one['id']}").status_code == 404
    assert len(states(line)) == 3


def test_a_full_queue_answers_429_with_a_sentence():
    queue(max_length=1)
    api = Caller(OPERATOR)
    assert api.post(f"{BASE}/videos/items", {"payload": {}}).status_code == 201
    full = api.post(f"{BASE}/videos/items", {"payload": {}})
    assert (full.status_code, full.headers["Retry-After"]) == (429, "60")
    assert "The queue videos is full" in full.json()["detail"]


def test_the_same_idempotency_key_puts_an_item_in_once():
    line, api = queue(), Caller(OPERATOR)
    first = api.post(f"{BASE}/videos/items", {"payload": {"a": 1}}, **{"Idempotency-Key": "x-1"})
    assert api.post(f"{BASE}/videos/items", {"payload": {"a": 1}}, **{"Idempotency-Key": "x-1"}).json() == first.json()
    assert len(states(line)) == 1


@pytest.mark.parametrize("body", [{}, {"payload": "text"}, {"payload": {}, "priority": 7}, {"payload": {}, "key": "x" * 201}])
def test_an_item_that_cannot_be_is_refused(body):
    queue()
    assert Caller().post(f"{BASE}/videos/items", body).status_code == 400


def test_items_are_retried_and_cancelled_and_errors_cleared_by_the_api():
    api, line = Caller(), queue()
    one, two, three = failed(line, 3)
    assert api.post(f"{BASE}/videos/items/{one.uid}/retry").json()["status"] == "waiting"
    assert api.post(f"{BASE}/videos/items/{one.uid}/cancel").json()["status"] == "cancelled"
    assert api.post(f"{BASE}/videos/clear-errors").json() == {"count": 2}
    assert api.post(f"{BASE}/videos/items/{two.uid}/retry").json()["status"] == "waiting"
    WorkItem.objects.filter(pk=three.pk).update(status="done")
    assert api.post(f"{BASE}/videos/items/{three.uid}/retry").status_code == 409
    failed(line, 2)
    assert api.post(f"{BASE}/videos/requeue-failed").json() == {"count": 2}


def test_a_queue_is_paused_with_a_reason_and_resumed_by_the_api():
    queue()
    api = Caller()
    assert api.post(f"{BASE}/videos/pause", {"reason": "until noon"}).json()["pause_reason"] == "until noon"
    assert api.post(f"{BASE}/videos/resume").json()["is_paused"] is False


def test_the_figures_of_the_list_are_those_of_each_queue():
    items(queue(), 3)
    items(queue("other"), 1)
    rows = Caller(VIEWER).get(BASE).json()["results"]
    assert {row["slug"]: row["figures"]["depth"] for row in rows} == {"default": 0, "other": 1, "videos": 3}


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        (VIEWER, "get", "", 200),
        (VIEWER, "get", "/videos/items", 200),
        (VIEWER, "post", "/videos/items", 403),
        (VIEWER, "post", "/videos/items/batch", 403),
        (OPERATOR, "post", "", 403),
        (OPERATOR, "post", "/videos/pause", 403),
        (OPERATOR, "post", "/videos/clear-errors", 403),
        (OPERATOR, "delete", "/videos", 403),
        (None, "get", "", 401),
    ],
)
def test_who_may_what(role, method, path, status):
    queue()
    assert getattr(Caller(role), method)(f"{BASE}{path}").status_code == status


# --- the command ------------------------------------------------------------------------------


def run(*words: str) -> Any:
    """`manage.py queues …` with its answer as JSON."""
    out = StringIO()
    call_command("queues", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_makes_fills_works_and_clears_a_queue():
    with processing() as told:
        assert run("create", "videos", "--processor", "test.processor", "--max-attempts", "1", "--when-asked")["waiting"] == 0
        item = run("add", "videos", "--payload", '{"number": 1}', "--key", "k")
        assert [one["id"] for one in run("items", "videos", "--status", "waiting")] == [item["id"]]
        assert run("work", "videos")["worked"] == 1
        assert run("show", item["id"])["result"] == {"seen": {"number": 1}}

        def poison(item: Any) -> Any:
            raise PermanentError("poison")

        told.answer = poison
        bad = run("add", "videos")
        run("work", "videos")
        assert run("requeue", bad["id"])["requeued"] == 1
        run("work", "videos")
        assert run("requeue", "videos")["requeued"] == 1
        run("work", "videos")
        assert run("clear_errors")["archived"] == 1
    assert [run(step, "videos")["changed"] for step in ("pause", "pause", "resume")] == [True, False, True]
    assert run("change", "videos", "--name", "Videos")["slug"] == "videos"
    assert run("cancel", run("add", "videos")["id"])["cancelled"] is True
    assert run("delete", "videos") == {"deleted": "videos", "cancelled": 0}


def test_the_command_refuses_with_a_sentence():
    with pytest.raises(CommandError, match="There is no queue 'nothing'"):
        run("pause", "nothing")


def test_the_list_of_the_command_shows_how_queues_stand():
    items(queue(), 2)
    out = StringIO()
    call_command("queues", "list", stdout=out)
    assert "videos" in out.getvalue()
    assert run("list")[1]["waiting"] == 2


# --- the pages --------------------------------------------------------------------------------


@pytest.fixture
def boss() -> Any:
    return client_of()


def test_the_list_shows_how_each_stands(boss):
    with processing():
        line = queue()
        items(line, 3, minutes_old=12)
        failed(line, 2)
        page = text_of(boss.get("/queues"))
    assert "12 min" in page
    assert f'/queues/{line.uid}?status=failed">2<' in page
    assert "collecting" in page  # the default queue


def test_the_list_costs_as_many_statements_for_twelve_as_for_one(boss):
    before = statements(boss, "/queues")
    for number in range(12):
        items(queue(f"q{number}"), 1)
    assert statements(boss, "/queues") == before


def test_the_page_of_a_queue_filters_its_items(boss):
    line = queue()
    [bad] = failed(line)
    [good] = items(line, 1)
    page = text_of(boss.get(f"/queues/{line.uid}", {"status": "failed"}))
    assert bad.uid in page
    assert good.uid not in page
    assert "No item fits these filters" in text_of(boss.get(f"/queues/{line.uid}", {"status": "done"}))


def test_the_page_hides_secrets(boss):
    line = queues.create(slug="videos", **CALL)
    for address in (f"/queues/{line.uid}", f"/queues/{line.uid}/edit"):
        page = text_of(boss.get(address))
        assert "https://a.example/x" in page
        assert "hush" not in page


def typed(**fields: Any) -> dict[str, Any]:
    """What a browser sends for a queue with the processor HTTP call."""
    return {
        "slug": "videos",
        "processor": "automation.http_call",
        "parameters-plugin": "automation.http_call",
        "parameters-url": "https://a.example/x",
        "parameters-token": "hush",
        "parameters-timeout_seconds": "5",
        "is_automatic": "on",
        "max_in_progress": "2",
        "timeout_seconds": "300",
        "max_attempts": "3",
        "retry_strategy": "exponential",
        "retry_base_seconds": "5",
        "retry_max_delay_seconds": "3600",
        "max_length": "10000",
        **fields,
    }


def test_a_queue_is_made_and_changed_on_the_pages_with_the_fields_of_its_processor(boss):
    boss.post("/queues/new", typed())
    line = Queue.living.get(slug="videos")
    assert (line.processor, line.parameters["token"], line.delayed_depth) == ("automation.http_call", "hush", None)
    boss.post(f"/queues/{line.uid}/edit", typed(**{"parameters-token": "", "delayed_depth": "7", "name": "Videos"}))
    line.refresh_from_db()
    assert (line.parameters["token"], line.delayed_depth, line.name) == ("hush", 7, "Videos")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"parameters-url": "nothing"}, "Enter a valid URL"),
        ({"slug": "default"}, "There is a queue &#x27;default&#x27; already"),
        ({"slug": "1"}, "Write small letters"),
        ({"max_attempts": "0"}, "greater than or equal to 1"),
    ],
)
def test_the_form_refuses_with_a_sentence_and_keeps_what_was_typed(boss, fields, sentence):
    page = text_of(boss.post("/queues/new", typed(**fields)))
    assert sentence in page
    assert next(iter(fields.values())) in page
    assert not Queue.objects.filter(slug="videos").exists()


def test_deeds_of_the_pages(boss):
    line = queue()
    address = f"/queues/{line.uid}"
    assert "is paused" in said(boss.post(f"{address}/pause", follow=True))
    assert "paused already" in said(boss.post(f"{address}/pause", follow=True))
    assert "worked off again" in said(boss.post(f"{address}/resume", follow=True))
    failed(line, 2)
    assert "Archive 2 failed items of videos?" in text_of(boss.get(f"{address}/clear-errors"))
    assert "2 failed items are archived" in said(boss.post(f"{address}/clear-errors", follow=True))
    failed(line, 1)
    assert "Put back 1 failed item of videos?" in text_of(boss.get(f"{address}/requeue"))
    assert "1 failed item is back in line" in said(boss.post(f"{address}/requeue", follow=True))
    assert "1 waiting item was cancelled" in said(boss.post(f"{address}/delete", follow=True))


def test_an_item_is_put_in_looked_at_cancelled_and_put_back_on_the_pages(boss):
    line = queue()
    boss.post(f"/queues/{line.uid}/add", {"payload": '{"video": 7}', "key": "k", "priority": "3"})
    item = WorkItem.objects.get(queue=line)
    assert (item.payload, item.priority) == ({"video": 7}, 3)
    assert "video" in text_of(boss.get(f"/items/{item.uid}"))
    assert "is due already" in said(boss.post(f"/items/{item.uid}/retry", follow=True))
    assert "is cancelled" in said(boss.post(f"/items/{item.uid}/cancel", follow=True))
    assert "back in line" in said(boss.post(f"/items/{item.uid}/retry", follow=True))
    assert "This is not JSON" in text_of(boss.post(f"/queues/{line.uid}/add", {"payload": "{", "priority": "1"}))


def test_a_viewer_sees_and_is_offered_nothing_that_would_be_refused():
    line, viewer = queue(), client_of(VIEWER)
    failed(line)
    page = text_of(viewer.get(f"/queues/{line.uid}"))
    assert not any(word in page for word in ("/pause", "/edit", "/clear-errors", f"/queues/{line.uid}/add"))
    assert viewer.post(f"/queues/{line.uid}/pause").status_code == 403
    assert viewer.get("/queues/new").status_code == 403


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_both_lists_are_exported(boss, kind):
    line = queue()
    [item] = items(line, 1)
    assert "videos" in text_of(boss.get("/queues", {"export": kind}))
    assert item.uid in text_of(boss.get(f"/queues/{line.uid}", {"export": kind}))


# --- search, stories, admin -------------------------------------------------------------------


def test_the_search_box_finds_queues_and_items():
    line = queue()
    [item] = items(line, 1)
    found = [finder(asked) for asked in (line.uid, "videos", item.uid) for finder in finders.all().values()]
    assert {one.url for one in found if one} == {f"/queues/{line.uid}", f"/items/{item.uid}"}


def test_the_story_of_an_event_tells_of_the_items_that_it_brought():
    from config.kernel.flow import events

    event = EventFactory()
    with processing(lambda item: Done()):
        line = queue()
        with events.handling(event):
            work.enqueue(line, {})
        work.process(work.take(line, 1))
    moments = storytellers.get("automation.items")(event)
    assert [moment.text for moment in moments] == ["An item was put into the queue videos", "The item of videos is done"]


def test_the_admin_edits_queues_by_the_fields_of_the_processor_and_only_shows_items(admin_client):
    admin_client.post(reverse("admin:automation_queue_add"), typed())
    line = Queue.living.get(slug="videos")
    assert line.parameters["token"] == "hush"
    change = reverse("admin:automation_queue_change", args=[line.pk])
    assert "hush" not in text_of(admin_client.get(change))
    admin_client.post(change, typed(**{"parameters-token": "", "max_attempts": "8"}))
    line.refresh_from_db()
    assert (line.max_attempts, line.parameters["token"]) == (8, "hush")
    [item] = items(line, 1)
    for name, key in (("queue", line.pk), ("workitem", item.pk)):
        assert admin_client.get(reverse(f"admin:automation_{name}_changelist")).status_code == 200
        assert admin_client.get(reverse(f"admin:automation_{name}_change", args=[key])).status_code == 200
    assert admin_client.get(reverse("admin:automation_workitem_add")).status_code == 403


def test_the_admin_refuses_with_the_services_sentence(admin_client):
    page = text_of(admin_client.post(reverse("admin:automation_queue_add"), typed(slug="default")))
    assert "There is a queue" in page
    assert "already" in page


def test_the_admin_does_deeds_with_a_count(admin_client):
    line = queue()
    failed(line, 2)
    chosen = {"action": "archive_all_failed_items", "_selected_action": [line.pk]}
    page = text_of(admin_client.post(reverse("admin:automation_queue_changelist"), chosen, follow=True))
    assert "Archive all failed items: 1 queue done" in page
    assert states(line) == ["archived", "archived"]


def test_more_queues_cost_no_more_statements(admin_client):
    client, admin = client_of(), reverse("admin:automation_queue_changelist")
    doors = [lambda: statements(client, "/queues?export=json"), lambda: statements(admin_client, admin), _statements_of_the_command]
    for slug in ("a", "b"):
        items(queue(slug), 1)
    before = [door() for door in doors]
    for slug in ("c", "d", "e", "f"):
        failed(queue(slug), 2)
    assert [door() for door in doors] == before


def _statements_of_the_command() -> int:
    with CaptureQueriesContext(connection) as caught:
        call_command("queues", "list", stdout=StringIO())
    return len(caught)


def test_the_admin_counts_what_waits_and_what_failed(admin_client):
    line = queue()
    items(line, 3)
    failed(line, 2)
    listed = admin_client.get(reverse("admin:automation_queue_changelist")).context["cl"].queryset.get(slug="videos")
    assert (listed.depth, listed.errors) == (3, 2)


@pytest.mark.parametrize(
    ("deed", "words"), [("clear-errors", "Archive 2 failed"), ("requeue", "Put back 2"), ("delete", "Delete the queue")]
)
def test_without_scripts_a_deed_asks_by_name_and_number(deed, words):
    line, client = queue(), client_of()
    failed(line, 2)
    page = text_of(client.get(f"/queues/{line.uid}/{deed}"))
    assert (words in page, "videos?" in page) == (True, True)


def test_with_nothing_failed_nobody_is_told_that_something_was_done():
    line = queue()
    assert "nothing to do" in said(client_of().post(f"/queues/{line.uid}/requeue", follow=True))


def test_the_item_of_a_deleted_queue_leads_nowhere_that_is_gone():
    line = queue()
    [item] = failed(line)
    WorkItem.objects.filter(pk=item.pk).update(batch="bat_1")
    queues.delete(line)
    page = text_of(client_of().get(f"/items/{item.uid}"))
    assert ("bat_1" in page, f"/queues/{line.uid}" in page) == (True, False)


@pytest.mark.parametrize(("pause", "words"), [(False, "has no processor"), (True, "is paused")])
def test_the_command_says_why_it_works_nothing_off(pause, words):
    line = queue()
    items(line, 1)
    if pause:
        queues.pause(line)
    with pytest.raises(CommandError, match=words):
        call_command("queues", "work", "videos", stdout=StringIO())


def test_the_command_says_how_items_are_worked_off_and_tried_again():
    call_command("queues", "create", "videos", "--when-asked", "--retry-strategy", "fixed", stdout=StringIO())
    line = queues.find("videos")
    assert (line.is_automatic, line.retry_strategy) == (False, "fixed")
    call_command("queues", "change", "videos", "--as-they-come", stdout=StringIO())
    line.refresh_from_db()
    assert (line.is_automatic, line.retry_strategy) == (True, "fixed")
