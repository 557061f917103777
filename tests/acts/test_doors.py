"""API, pages, admin and commands over actions and approvals."""

import json

import pytest
from django.core.management import CommandError, call_command

from config.acts.models import Approval, Invocation, Slot
from config.acts.running import invocations, slots
from tests.support.acting.executor import work_off

pytestmark = pytest.mark.django_db
CALLS = "/api/v1/automation/invocations"


@pytest.fixture
def waiting():
    """A critical call that waits for an answer."""
    return invocations.call("acting.critical", {}, owner="system", caller="execution:exe_1", is_automatic=True), Approval.objects.get()


# --- API --------------------------------------------------------------------------------------


def test_a_call_with_a_misspelt_field_does_not_run_with_defaults(api):
    answer = api.post(CALLS, {"action": "acting.echo", "params": {"text": "hello"}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["params"])
    assert not Invocation.objects.exists()


def test_an_action_that_is_not_there_is_answered_with_those_that_are(api):
    answer = api.get("/api/v1/automation/actions/acting.ecko")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no action 'acting.ecko'; there are: acting.")


def test_the_catalogue_shows_every_action_with_its_parameters(api):
    found = {one["key"]: one for one in api.get("/api/v1/automation/actions").json()}
    assert found["acting.sleep"]["parameters"]["required"] == ["seconds"]
    assert (found["acting.critical"]["permission"], found["acting.undoable"]["can_undo"]) == ("critical", True)
    assert api.get("/api/v1/automation/actions/acting.echo").json()["parameters"]["properties"]["secret"]["writeOnly"] is True
    assert api.get("/api/v1/automation/actions/acting.none").status_code == 404


def test_a_call_by_api_runs_with_the_callers_rights(api_of, operator):
    client = api_of(operator)
    answer = client.post(CALLS, {"action": "acting.noop"})
    assert (answer.status_code, answer.json()["status"], answer.json()["owner"]) == (202, "pending", "olga")
    work_off()
    assert client.get(f"{CALLS}/{answer.json()['id']}").json()["output"] == {"attempt": 1}
    assert client.post(CALLS, {"action": "acting.critical"}).status_code == 403
    wrong = client.post(CALLS, {"action": "acting.sleep", "parameters": {"second": 1}})
    assert (wrong.status_code, "Did you mean seconds?" in json.dumps(wrong.json())) == (400, True)


def test_a_token_without_the_string_may_not_call_what_its_owner_may(api_of, admin_user):
    client = api_of(admin_user, ["workflows:view", "actions:execute_standard"])
    assert client.post(CALLS, {"action": "acting.noop"}).status_code == 202
    assert client.post(CALLS, {"action": "acting.critical"}).status_code == 403


def test_a_url_is_shown_without_what_is_secret_in_it(api, admin_client):
    url = "https://ops:hunter2@example.com/hook?key=hunter3"
    row = invocations.call("automation.http_request", {"url": url}, owner="system", caller="test")
    shown = api.get(f"{CALLS}/{row.uid}").json()["params"]["url"]
    assert shown == "https://********@example.com/hook?key=********"
    pages = [admin_client.get(address).content for address in (f"/calls/{row.uid}", f"/admin/acts/invocation/{row.pk}/change/")]
    assert not any(b"hunter" in page for page in pages)


def test_secrets_are_never_shown(api, admin_client):
    row = invocations.call("acting.echo", {"secret": "hunter2"}, owner="system", caller="test")
    shown = api.get(f"{CALLS}/{row.uid}").json()
    assert shown["params"]["secret"] == "********"
    Invocation.objects.filter(pk=row.pk).update(status="completed", output={"secret": "hunter2", "text": "kept"})
    assert api.get(f"{CALLS}/{row.uid}").json()["output"] == {"secret": "********", "text": "kept"}
    for page in (f"/calls/{row.uid}", "/calls", f"/admin/acts/invocation/{row.pk}/change/", "/calls?export=json"):
        answer = admin_client.get(page)
        assert answer.status_code == 200
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert b"hunter2" not in content, page


def test_the_list_is_filtered(api):
    invocations.call("acting.noop", {}, owner="system", caller="execution:exe_1")
    invocations.call("acting.echo", {}, owner="system", caller="run:run_1")
    assert api.get(f"{CALLS}?caller=execution:").json()["count"] == 1
    assert api.get(f"{CALLS}?action=acting.echo&status=pending").json()["count"] == 1
    assert api.get(f"{CALLS}?status=failed").json()["count"] == 0


def test_cancelling_and_undoing_by_api(api, api_of, operator, viewer):
    row = invocations.call("acting.noop", {}, owner="system", caller="test")
    assert api_of(viewer).post(f"{CALLS}/{row.uid}/cancel").status_code == 403
    answer = api.post(f"{CALLS}/{row.uid}/cancel", {"reason": "no"})
    assert (answer.status_code, answer.json()["status"], answer.json()["error_message"]) == (202, "cancelled", "no")
    assert api.post(f"{CALLS}/{row.uid}/cancel").status_code == 409
    assert api.post(f"{CALLS}/{row.uid}/undo").status_code == 409
    grave = invocations.call("acting.critical", {}, owner="system", caller="test")
    assert api_of(operator).post(f"{CALLS}/{grave.uid}/cancel").status_code == 403
    Invocation.objects.filter(pk=row.pk).update(action="acting.undoable", status="completed", output={"made": "/nowhere"})
    made = api.post(f"{CALLS}/{row.uid}/undo")
    assert (made.status_code, made.json()["undoes"]) == (202, row.uid)


def test_answers_by_api(api, api_of, operator, waiting):
    row, approval = waiting
    listed = api.get("/api/v1/approvals?status=pending").json()["results"]
    assert [(one["id"], one["waits"], one["scope"]) for one in listed] == [
        (approval.uid, f"invocation:{row.uid}", "actions:execute_critical")
    ]
    assert api_of(operator).post(f"/api/v1/approvals/{approval.uid}/approve").status_code == 403
    answer = api.post(f"/api/v1/approvals/{approval.uid}/approve", {"note": "go"})
    assert (answer.status_code, answer.json()["status"], answer.json()["decided_by"]) == (200, "approved", "admin")
    assert api.post(f"/api/v1/approvals/{approval.uid}/reject").status_code == 409
    assert [one.status for one in work_off()] == ["completed"]
    assert api.get(f"/api/v1/approvals/{approval.uid}").json()["note"] == "go"


# --- pages ------------------------------------------------------------------------------------


def test_a_character_that_no_database_stores_is_refused_with_a_sentence(admin_client, waiting):
    _, approval = waiting
    answer = admin_client.post(f"/approvals/{approval.uid}/reject", {"note": "not\0now"})
    assert (answer.status_code, b"NUL character" in answer.content) == (400, True)
    approval.refresh_from_db()
    assert approval.status == "pending"


def test_a_person_answers_on_the_page(admin_client, waiting):
    row, approval = waiting
    assert b"Something grave" in admin_client.get("/approvals").content
    assert b"Something grave" in admin_client.get("/").content, "the overview says what waits"
    assert b"Reject" in admin_client.get(f"/approvals/{approval.uid}").content
    answer = admin_client.post(f"/approvals/{approval.uid}/reject", {"note": "not now"}, follow=True)
    assert b"Nothing waits for an answer" in answer.content
    row.refresh_from_db()
    assert (row.status, row.error_message) == ("refused", "admin said no: not now")
    assert b"not now" in admin_client.get("/approvals?state=answered").content


def test_who_may_not_answer_is_told_so(client, operator, waiting):
    _, approval = waiting
    client.force_login(operator)
    assert b"which you do not have" in client.get(f"/approvals/{approval.uid}").content
    client.post(f"/approvals/{approval.uid}/approve")
    approval.refresh_from_db()
    assert approval.status == "pending"


def test_the_page_of_a_call_cancels_it_and_shows_its_end(admin_client):
    assert b"No action was called yet" in admin_client.get("/calls").content
    row = invocations.call("acting.noop", {}, owner="system", caller="test")
    assert b"Cancel" in admin_client.get(f"/calls/{row.uid}").content
    admin_client.post(f"/calls/{row.uid}/cancel")
    row.refresh_from_db()
    assert row.status == "cancelled"
    assert b"cancelled" in admin_client.get(f"/calls/{row.uid}", headers={"HX-Request": "true"}).content
    assert b"No call fits" in admin_client.get("/calls?status=running").content


def test_the_page_of_a_call_undoes_it(admin_client):
    row = invocations.call("acting.undoable", {"file": "/nowhere"}, owner="system", caller="test")
    Invocation.objects.filter(pk=row.pk).update(status="completed", output={"made": "/nowhere"})
    assert b"Undo" in admin_client.get(f"/calls/{row.uid}").content
    admin_client.post(f"/calls/{row.uid}/undo")
    assert Invocation.objects.get(undoes=row).owner == "admin"


def test_a_call_and_a_question_are_found_by_their_id(admin_client, waiting):
    row, approval = waiting
    assert admin_client.get(f"/search?q={row.uid}").url == f"/calls/{row.uid}"
    assert admin_client.get(f"/search?q={approval.uid}").url == f"/approvals/{approval.uid}"


# --- admin and commands -----------------------------------------------------------------------


def test_the_admin_answers_and_is_otherwise_read_only(admin_client, waiting):
    row, approval = waiting
    slots.take("actions", 2, 1, held_for="invocation:x")
    for page in ("invocation", "approval", "slot"):
        assert admin_client.get(f"/admin/acts/{page}/").status_code == 200
        assert admin_client.get(f"/admin/acts/{page}/add/").status_code == 403
    assert admin_client.get(f"/admin/acts/slot/{Slot.objects.first().pk}/change/").status_code == 200
    admin_client.post("/admin/acts/approval/", {"action": "approve", "_selected_action": [approval.pk]})
    row.refresh_from_db()
    assert row.status == "pending"


def test_commands_call_show_and_cancel(capsys):
    def run(*words):
        call_command("actions", *words, "--json")
        return json.loads(capsys.readouterr().out)

    assert "acting.noop" in [one["key"] for one in run("list")]
    assert run("show", "acting.echo")["parameters"]["type"] == "object"
    kept = run("call", "acting.echo")
    Invocation.objects.filter(uid=kept["id"]).update(status="completed", output={"secret": "hunter2", "text": "kept"})
    assert run("result", kept["id"])["output"] == {"secret": "********", "text": "kept"}
    made = run("call", "acting.noop", "--once", "k1")
    assert made["status"] == "pending"
    assert run("call", "acting.noop", "--once", "k1")["id"] == made["id"]
    assert [one["id"] for one in run("calls", "--status", "pending")] == [made["id"]]
    assert run("cancel", made["id"])["status"] == "cancelled"
    assert run("result", made["id"])["params"] == {}
    assert run("slots") == []
    with pytest.raises(CommandError, match="nothing left to cancel"):
        run("cancel", made["id"])
    with pytest.raises(CommandError, match="only what is completed"):
        call_command("actions", "undo", run("call", "acting.undoable", "--params", '{"file": "x"}')["id"])


def test_commands_answer_questions(capsys, waiting, admin_user):
    _, approval = waiting
    call_command("approvals", "list", "--json")
    assert json.loads(capsys.readouterr().out)[0]["id"] == approval.uid
    with pytest.raises(CommandError, match="no user"):
        call_command("approvals", "approve", approval.uid, "--user", "nobody")
    call_command("approvals", "approve", approval.uid, "--user", "admin")
    approval.refresh_from_db()
    assert (approval.status, approval.decided_by) == ("approved", "admin")
