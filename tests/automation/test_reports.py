"""Reports count what the tables hold, are kept, sent, and need nothing from outside."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from automation.actions.generate_report import GenerateReport
from automation.models import Execution, Report
from automation.services import reports
from automation.services.reporting import report_files
from config.acts.models import Invocation
from config.acts.plugins.actions import Call
from config.acts.plugins.reporters import Part, Period, Reporter, reporters
from config.acts.running import forms
from config.kernel.desk import options
from config.kernel.flow import clock
from config.kernel.flow.errors import InvalidInput, TooLarge
from config.kernel.flow.outcomes import Done, NotConfigured, Waiting
from config.kernel.models import Component, Notification, Rollup
from config.kernel.watch import notifications
from tests.support.factories import AttemptFactory, DeliveryFactory, EventFactory, ReceiptFactory
from webhooks.enums import DeliveryStatus, ReceiptStatus

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


def act(state=None, key="key-1", **params):
    """The action, called as invocations call it."""
    cleaned = forms.clean(GenerateReport.Parameters, params)
    return GenerateReport().run(cleaned, Call("inv_1", key, "ada", state=state or {}))


def figures(report, kind):
    return {figure["name"]: figure["value"] for part in report.content["parts"] if part["type"] == kind for figure in part["figures"]}


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]


def call_of(status, action="automation.notify_slack"):
    return Invocation.objects.create(action=action, owner="system", status=status, timeout_seconds=1)


@pytest.fixture
def busy():
    """Something of each kind, of now and of before."""
    for status, count in (("delivered", 3), ("dead", 2), ("pending", 1)):
        for _ in range(count):
            DeliveryFactory(status=status)
    AttemptFactory(status_code=200, duration_ms=12.5)
    DeliveryFactory(status=DeliveryStatus.DELIVERED, created_at=clock.now() - timedelta(days=3))
    ReceiptFactory()
    ReceiptFactory(status=ReceiptStatus.REJECTED)
    EventFactory()
    for status in ("completed", "completed", "failed", "pending"):
        call_of(status)
    for status in ("completed", "completed", "timeout", "skipped", "running"):
        Execution.objects.create(name="Scale up", source="threshold", status=status)
    notifications.notify("Look")
    return Period(clock.now() - timedelta(hours=24), clock.now() + timedelta(seconds=1))


# --- what is counted --------------------------------------------------------------------------------


def test_totals_are_those_of_sql(busy):
    report, _ = reports.generate(["system", "webhooks", "automation"])
    since, until = report.since, report.until
    within = "WHERE created_at >= %s AND created_at < %s"
    found = {**figures(report, "webhooks"), **figures(report, "system"), **figures(report, "automation")}
    for name, table, also in (
        ("deliveries", "webhooks_delivery", ""),
        ("deliveries_delivered", "webhooks_delivery", "AND status = 'delivered'"),
        ("deliveries_dead", "webhooks_delivery", "AND status = 'dead'"),
        ("attempts", "webhooks_attempt", ""),
        ("receipts", "webhooks_receipt", ""),
        ("receipts_rejected", "webhooks_receipt", "AND status = 'rejected'"),
        ("events", "kernel_event", ""),
        ("notifications", "kernel_notification", ""),
        ("audit_records", "kernel_auditrecord", ""),
        ("executions", "automation_execution", ""),
        ("executions_completed", "automation_execution", "AND status = 'completed'"),
        ("executions_failed", "automation_execution", "AND status IN ('failed', 'timeout')"),
        ("invocations", "acts_invocation", ""),
        ("invocations_failed", "acts_invocation", "AND status IN ('failed', 'timeout', 'refused')"),
    ):
        counted = sql(f"SELECT count(*) FROM {table} {within} {also}", since, until)
        assert (name, found[name]) == (name, counted)
    assert (found["deliveries_dead"], found["invocations_failed"], found["receipts_rejected"]) == (2, 1, 1)


def test_a_chart_adds_up_to_its_total(busy):
    report, _ = reports.generate(["webhooks", "automation"])
    totals = {"Webhooks": "deliveries", "Rules": "executions", "Actions": "invocations"}
    for part in report.content["parts"]:
        [chart] = part["charts"]
        assert sum(sum(amounts) for amounts in chart["parts"].values()) == figures(report, part["type"])[totals.pop(part["title"])] > 0
        assert {len(amounts) for amounts in chart["parts"].values()} == {len(chart["labels"])}
    assert totals == {}


@pytest.mark.parametrize("back", [timedelta(hours=24), timedelta(days=20)])
def test_in_an_installation_of_another_time_zone_it_tells_of_utc_as_it_says(busy, back):
    with timezone.override("Asia/Kolkata"):
        until = timezone.localtime(clock.now())
        report, _ = reports.generate(["webhooks"], since=until - back, until=until, recipients=["ada@example.com"])
        html, mailed = report_files.as_html(report), Notification.objects.get(subject=f"report:{report.uid}")
    [part] = report.content["parts"]
    assert sum(sum(amounts) for amounts in part["charts"][0]["parts"].values()) == figures(report, "webhooks")["deliveries"] > 0
    end = report.until.astimezone(UTC)
    assert f"to {end.day} {end:%B %Y %H:%M} UTC" in html
    assert f"to {end:%Y-%m-%d %H:%M} UTC" in mailed.title


@pytest.mark.parametrize(("hours", "step", "columns"), [(24, "hour", 25), (240, "day", 11)])
def test_long_periods_are_told_by_the_day(hours, step, columns, time_machine):
    time_machine.move_to("2026-03-15T10:30:00Z", tick=False)
    period = Period(clock.now() - timedelta(hours=hours), clock.now())
    assert (period.step, len(list(period.steps()))) == (step, columns)


def test_what_was_measured_is_told_by_least_mean_and_most():
    at = clock.now() - timedelta(minutes=5)
    Rollup.objects.create(name="cpu_usage", seconds=60, at=at, count=2, sum=120, min=50, max=70, last=70)
    report, _ = reports.generate(["system"])
    [table] = [table for table in report.content["parts"][0]["tables"] if table["title"] == "Measured"]
    assert table["rows"] == [["cpu_usage", 50.0, 60.0, 70.0]]
    assert "70 %" in report_files.as_html(report), "numbers are read with their unit"


@pytest.mark.parametrize("kind", ["workflows", "healing"])
def test_a_kind_that_nobody_contributes_to_says_so(kind, monkeypatch):
    monkeypatch.setattr(reporters, "_found", {})
    [part] = reports.generate([kind])[0].content["parts"]
    assert (part["note"], part["figures"]) == ("No data of this kind is kept yet.", [])


def test_a_reporter_that_fails_does_not_take_the_report_with_it():
    def broken(period):
        raise ZeroDivisionError

    with reporters.swapped("tests.broken", Reporter("system", broken, 1)):
        report, _ = reports.generate(["system"])
    assert [bool(part["note"]) for part in report.content["parts"]] == [True, False]


# --- what cannot be ---------------------------------------------------------------------------------


@pytest.mark.parametrize("types", [[], ["everything"]])
def test_unknown_types_are_refused_with_those_there_are(types):
    with pytest.raises(InvalidInput, match="webhooks"):
        reports.generate(types)


@pytest.mark.parametrize("back", [timedelta(hours=-1), timedelta(days=400)])
def test_impossible_periods_are_refused(back):
    with pytest.raises(InvalidInput, match="period"):
        reports.generate(["system"], since=clock.now() - back)


def test_a_period_before_all_time_is_refused():
    with pytest.raises(InvalidInput, match="Nothing is known of that time"):
        reports.generate(["system"], until=datetime(1, 1, 1, tzinfo=UTC))


def test_a_report_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(reports, "MAX_BYTES", 100)
    with pytest.raises(TooLarge, match="shorter period"):
        reports.generate(["system"])


# --- sent -------------------------------------------------------------------------------------------


def test_a_report_is_sent_with_its_html_and_done_once_it_was_taken(busy):
    waiting = act(report_types=["webhooks"], recipients=["ops@example.com"])
    assert isinstance(waiting, Waiting)
    notifications.Notify().work(clock.now(), 100)
    done = act(state=waiting.state, report_types=["webhooks"], recipients=["ops@example.com"])
    assert isinstance(done, Done)
    report = Report.objects.get(uid=done.output["report"])
    [sent] = mail.outbox
    [(name, body, kind)] = sent.attachments
    assert (sent.to, kind) == (["ops@example.com"], "text/html")
    assert name.endswith(".html")
    assert body == report_files.as_html(report)
    assert f"Deliveries: {figures(report, 'webhooks')['deliveries']}" in sent.body
    assert report.created_by == "ada"


def test_a_report_without_recipients_is_done_at_once():
    assert isinstance(act(report_types=["system"]), Done)
    assert not Notification.objects.exists()


def test_without_a_mail_server_it_ends_as_not_configured_but_is_kept(settings):
    settings.EMAIL_CONFIGURED = False
    waiting = act(report_types=["system"], recipients=["ops@example.com"])
    notifications.Notify().work(clock.now(), 100)
    ended = act(state=waiting.state, report_types=["system"], recipients=["ops@example.com"])
    assert isinstance(ended, NotConfigured)
    assert Report.objects.filter(uid=waiting.state["report"]).exists()


def test_the_same_call_started_again_makes_no_second_report():
    first, again = (act(report_types=["system"], recipients=["ops@example.com"]) for _ in range(2))
    assert first.state == again.state
    assert (Report.objects.count(), Notification.objects.count()) == (1, 1)


def test_the_period_may_be_given_by_its_ends():
    done = act(report_types=["system"], since="2026-01-01T00:00:00Z", until="2026-01-02T00:00:00Z")
    report = reports.find(done.output["report"])
    assert (clock.text(report.since), clock.text(report.until)) == ("2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z")


@pytest.mark.parametrize(("name", "value"), [("recipients", ["nobody"]), ("report_types", ["everything"]), ("period", "soon")])
def test_wrong_parameters_are_named(name, value):
    with pytest.raises(InvalidInput) as refused:
        act(**{"report_types": ["system"], name: value})
    assert name in refused.value.fields


# --- the files --------------------------------------------------------------------------------------


class Outside(HTMLParser):
    """Collects what a page would fetch or run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.found += [tag] if tag in ("script", "link", "img", "iframe", "object", "style") and tag != "style" else []
        self.found += [f"{tag} {name}" for name in named if name in ("src", "href", "style") or name.startswith("on")]


def test_the_html_needs_nothing_from_outside_and_forbids_it(busy):
    Component.objects.create(key="database", status="healthy", detail=EVIL)
    page = report_files.as_html(reports.generate(["system", "webhooks", "automation"])[0])
    parser = Outside()
    parser.feed(page)
    assert parser.found == []
    assert EVIL not in page
    assert page.count("<svg") >= 3
    assert re.search(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='", page)


def test_the_json_has_the_same_numbers(busy):
    report, _ = reports.generate(["webhooks"])
    told = json.loads(report_files.as_json(report))
    assert told["id"] == report.uid
    assert {figure["name"]: figure["value"] for figure in told["parts"][0]["figures"]} == figures(report, "webhooks")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(1204, "", "1,204"), (0.982, "%", "98.2 %"), (12.44, "ms", "12.4 ms"), (None, "ms", "nothing to measure")],
)
def test_figures_are_written_for_people(value, unit, shown):
    assert reports.written({"value": value, "unit": unit}) == shown


# --- kept -------------------------------------------------------------------------------------------


def test_old_reports_are_removed():
    options.set("REPORT_RETENTION_DAYS", 10)
    report, _ = reports.generate(["system"])
    assert reports.delete_old(clock.now() + timedelta(days=9)) == 0
    assert reports.delete_old(clock.now() + timedelta(days=11)) == 1
    assert not Report.objects.filter(pk=report.pk).exists()


def test_the_command_generates_lists_and_saves(capsys, tmp_path):
    call_command("reports", "generate", "--type", "system", "--days", "7", "--json")
    uid = json.loads(capsys.readouterr().out)["id"]
    call_command("reports", "list")
    assert uid in capsys.readouterr().out
    for kind in ("html", "json"):
        call_command("reports", "save", uid, "--as", kind, "--to", str(tmp_path / f"report.{kind}"))
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    with pytest.raises(CommandError, match="exists already"):
        call_command("reports", "save", uid, "--to", str(tmp_path / "report.html"))


def test_reporters_are_asked_in_order():
    made = []
    with (
        reporters.swapped("tests.late", Reporter("healing", lambda period: made.append("late") or Part("Late"), 2)),
        reporters.swapped("tests.early", Reporter("healing", lambda period: made.append("early") or Part("Early"), 1)),
    ):
        report, _ = reports.generate(["healing"])
    assert [part["title"] for part in report.content["parts"]][:2] == ["Early", "Late"]
