"""Reports and backups through the API, the pages and the admin: who may, what is shown, what is said."""

import json

import pytest
from django.contrib.auth.models import User

from automation.models import Report
from automation.services import backups, reports
from config.acts.models import Backup, Invocation
from config.kernel.flow import clock
from config.kernel.models import Notification
from tests.support.api import ADMIN, OPERATOR, VIEWER, Caller
from tests.support.pages import client_of, said, statements, text_of

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"
REPORTS, BACKUPS = "/api/v1/automation/reports", "/api/v1/automation/backups"


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    """A DATA_DIR of the test's own."""
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def operator():
    return Caller(OPERATOR)


@pytest.fixture
def viewer():
    return Caller(VIEWER)


@pytest.fixture
def report():
    return reports.generate(["system", "webhooks"])[0]


@pytest.fixture
def backup():
    return backups.create(["config"])


# --- the API of reports -----------------------------------------------------------------------------


def test_a_report_is_generated_listed_and_read(operator):
    made = operator.post(REPORTS, {"report_types": ["system"], "recipients": ["ops@example.com"]})
    assert made.status_code == 201
    uid = made.json()["id"]
    assert operator.get(REPORTS).json()["results"][0]["id"] == uid
    read = operator.get(f"{REPORTS}/{uid}").json()
    assert (read["types"], read["created_by"]) == (["system"], operator.user.username)
    assert read["content"]["parts"][0]["figures"]
    assert Notification.objects.get().recipients == ["ops@example.com"]


@pytest.mark.parametrize(
    ("kind", "content_type", "begins"), [("html", "text/html", b"<!doctype html>"), ("json", "application/json", b"{")]
)
def test_a_report_is_downloaded(viewer, report, kind, content_type, begins):
    answer = viewer.get(f"{REPORTS}/{report.uid}/download", **{"as": kind})
    assert answer.headers["Content-Type"] == content_type
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.content.startswith(begins)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"report_types": ["everything"]}, "report_types"),
        ({}, "report_types"),
        ({"report_types": ["system"], "recipients": ["nobody"]}, "recipients"),
        ({"report_types": ["system"], "since": "2020-01-01T00:00:00Z"}, "since"),
        ({"report_types": ["system"], "since": "soon"}, "since"),
    ],
)
def test_a_wrong_report_is_refused_by_field(operator, body, field):
    answer = operator.post(REPORTS, body)
    assert answer.status_code == 400
    assert {name.partition(".")[0] for name in answer.json()["errors"]} == {field}


def test_a_report_cannot_be_had_as_anything(viewer, report):
    assert viewer.get(f"{REPORTS}/{report.uid}/download", **{"as": "exe"}).status_code == 400
    assert viewer.get(f"{REPORTS}/rpt_nothing").status_code == 404


# --- the API of backups -----------------------------------------------------------------------------


def test_asking_for_a_backup_answers_with_the_call(operator):
    answer = operator.post(BACKUPS, {"backup_types": ["config"], "retention_days": 3})
    assert answer.status_code == 202
    row = Invocation.objects.get(uid=answer.json()["id"])
    assert (row.action, row.owner, row.params) == (
        "automation.backup_data",
        operator.user.username,
        {"backup_types": ["config"], "retention_days": 3},
    )


def test_the_list_of_data_shows_the_backup_and_not_what_was_kept_before_a_fix(viewer, backup):
    fix = Backup.objects.create(kind="pre_fix", path="fix.tar", sha256="0" * 64, subject="fix:fix_1")
    data, fixes = (viewer.get(BACKUPS, kind=kind).json() for kind in ("data", "pre_fix"))
    assert ([one["id"] for one in data["results"]], data["count"]) == ([backup.uid], 1)
    assert [one["id"] for one in fixes["results"]] == [fix.uid]
    assert viewer.get(BACKUPS).json()["count"] == 2


def test_a_backup_is_read_and_verified(operator, backup):
    Backup.objects.update(verified_at=None)
    assert operator.get(f"{BACKUPS}/{backup.uid}").json()["verified_at"] is None
    assert operator.post(f"{BACKUPS}/{backup.uid}/verify").json()["verified_at"] is not None
    backups.archive(backup).unlink()
    assert operator.post(f"{BACKUPS}/{backup.uid}/verify").status_code == 400


@pytest.mark.parametrize(("body", "field"), [({"backup_types": ["all"]}, "backup_types"), ({"retention_days": 0}, "retention_days")])
def test_a_wrong_backup_is_refused_by_field(operator, body, field):
    answer = operator.post(BACKUPS, body)
    assert answer.status_code == 400
    assert {name.partition(".")[0] for name in answer.json()["errors"]} == {field}


def test_a_backup_cannot_be_fetched(operator, backup):
    assert "path" not in operator.get(f"{BACKUPS}/{backup.uid}").json()
    assert operator.get(f"{BACKUPS}/{backup.uid}/download").status_code == 404


@pytest.mark.parametrize("path", [REPORTS, BACKUPS])
def test_a_viewer_may_look_but_make_nothing(viewer, path):
    assert viewer.get(path).status_code == 200
    assert viewer.post(path, {"report_types": ["system"]}).status_code == 403
    assert Caller(None).get(path).status_code == 401


# --- the pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "word"), [("/reports", "No report yet"), ("/backups", "No backup yet")])
def test_an_empty_list_says_what_to_do_first(address, word):
    assert word in text_of(client_of(OPERATOR).get(address))


def test_a_report_is_made_on_its_page():
    page = client_of(OPERATOR)
    answer = page.post(
        "/reports/new", {"report_types": ["system", "healing"], "period": "7d", "recipients": "ops@example.com"}, follow=True
    )
    report = Report.objects.get()
    assert "ops@example.com" in said(answer)
    assert "System" in text_of(answer)
    assert report.recipients == ["ops@example.com"]
    assert (report.until - report.since).days == 7


def test_a_mistake_is_shown_beside_its_field():
    page = text_of(client_of(OPERATOR).post("/reports/new", {"report_types": ["system"], "period": "7d", "recipients": "nobody"}))
    assert "is no e-mail address" in page


@pytest.mark.parametrize("role", [VIEWER, OPERATOR])
def test_reports_are_listed_filtered_shown_and_taken_away(role, report):
    page = client_of(role)
    assert report.title in text_of(page.get("/reports?type=webhooks"))
    assert "No report fits" in text_of(page.get("/reports?type=healing"))
    assert "Events by the hour" in text_of(page.get(f"/reports/{report.uid}"))
    assert text_of(page.get(f"/reports/{report.uid}/html")).startswith("<!doctype html>")
    assert json.loads(text_of(page.get(f"/reports/{report.uid}/json")))["id"] == report.uid
    assert page.get(f"/reports/{report.uid}/exe").status_code == 404
    assert json.loads(text_of(page.get("/reports?export=json")))[0]["id"] == report.uid


def test_what_others_wrote_is_text_on_the_page_of_a_report(report):
    report.content["parts"][0]["tables"] = [{"title": EVIL, "columns": [EVIL], "rows": [[EVIL]]}]
    report.save()
    assert EVIL not in text_of(client_of().get(f"/reports/{report.uid}"))


def test_a_backup_is_asked_for_on_its_page():
    answer = client_of(OPERATOR).post("/backups/new", {"backup_types": ["config"], "retention_days": "5"}, follow=True)
    uid = Invocation.objects.get().uid
    assert uid in said(answer)
    assert answer.redirect_chain[-1][0] == f"/calls/{uid}", "where a failure is seen too"


def test_backups_are_listed_shown_and_verified(backup):
    page = client_of(OPERATOR)
    assert backup.uid in text_of(page.get("/backups?kind=data"))
    assert "No backup fits" in text_of(page.get("/backups?kind=pre_fix"))
    assert f"backups restore {backup.uid} --part config" in text_of(page.get(f"/backups/{backup.uid}"))
    assert "is whole" in said(page.post(f"/backups/{backup.uid}/verify", follow=True))
    backups.archive(backup).write_bytes(b"broken")
    assert "damaged" in said(page.post(f"/backups/{backup.uid}/verify", follow=True))


@pytest.mark.parametrize("address", ["/reports/new", "/backups/new"])
def test_a_viewer_makes_nothing_on_the_pages(address):
    assert client_of(VIEWER).get(address).status_code == 403
    assert client_of(VIEWER).post(address).status_code == 403


def test_lists_cost_as_many_statements_for_many_as_for_one(report, backup):
    page = client_of(VIEWER)
    before = [statements(page, address) for address in ("/reports", "/backups")]
    for number in range(8):
        reports.generate(["system"])
        Backup.objects.create(kind="data", path=f"{number}.tar", sha256="0" * 64)
    assert [statements(page, address) for address in ("/reports", "/backups")] == before


def test_the_search_box_finds_both(report, backup):
    page = client_of()
    assert page.get(f"/search?q={report.uid}").url == f"/reports/{report.uid}"
    assert page.get(f"/search?q={backup.uid}").url == f"/backups/{backup.uid}"


# --- the admin --------------------------------------------------------------------------------------


def test_the_admin_shows_both_and_verifies(admin_client, report, backup):
    Backup.objects.update(verified_at=None)
    assert report.title in text_of(admin_client.get("/admin/automation/report/"))
    data = {"action": "verify", "_selected_action": [backup.pk]}
    assert "Verify: 1 backup done" in text_of(admin_client.post("/admin/acts/backup/", data, follow=True))
    assert Backup.objects.get().verified_at <= clock.now()


def test_the_admin_changes_neither(admin_client, report, backup):
    for address in (f"/admin/automation/report/{report.pk}/", f"/admin/acts/backup/{backup.pk}/"):
        page = text_of(admin_client.get(address))
        assert 'name="_save"' not in page


def test_an_operator_who_was_deactivated_asks_for_nothing(operator):
    User.objects.filter(pk=operator.user.pk).update(is_active=False)
    assert operator.post(BACKUPS, {}).status_code in (401, 403)
    assert Caller(ADMIN).get(BACKUPS).json()["count"] == 0
