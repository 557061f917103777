"""The commands of webhooks: each deed answers in text and in JSON, a refusal is a sentence and exit status 1."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from config.kernel.flow import jobs
from config.kernel.models import AuditRecord
from tests.support.api import Caller
from tests.support.factories import DeliveryFactory, ReceiptFactory
from webhooks.enums import DeliveryStatus
from webhooks.management.commands import endpoints
from webhooks.models import Delivery, Endpoint, Source

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def run_json(*words):
    return json.loads(run(*words, "--json"))


@pytest.fixture
def endpoint():
    return run_json("endpoints", "register", "https://receiver.example/hook", "--id", "a", "--event", "video.*")


def test_an_endpoint_is_registered_and_its_secret_printed_this_once(endpoint):
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["secret"] not in run("endpoints", "show", "a")
    assert "https://receiver.example/hook" in run("endpoints", "list")


def test_pause_resume_rotate_and_delete_are_audited_deeds(endpoint):
    assert run_json("endpoints", "pause", "a", "--reason", "maintenance")["changed"] is True
    assert run_json("endpoints", "pause", "a")["changed"] is False
    assert run_json("endpoints", "resume", "a")["status"] == "active"
    assert run_json("endpoints", "rotate_secret", "a")["secret"] != endpoint["secret"]
    run("endpoints", "delete", "a")
    assert not Endpoint.living.exists()
    assert AuditRecord.objects.filter(action="endpoint.paused", actor="command line").count() == 1


@pytest.mark.parametrize(
    ("words", "route"),
    [
        (["endpoints", "show", "nobody"], "endpoints/nobody"),
        (["deliveries", "show", "dlv_no"], "deliveries/dlv_no"),
        (["replays", "show", "rep_no"], "replays/rep_no"),
        (["sources", "setup", "no"], "sources/no/setup"),
        (["receipts", "show", "rcp_no"], "inbound/rcp_no"),
    ],
)
def test_an_unknown_id_is_answered_alike_by_command_and_api(words, route):
    with pytest.raises(CommandError) as refused:
        run(*words)
    answer = Caller().get(f"/api/v1/webhooks/{route}")
    assert (answer.status_code, answer.json()["detail"]) == (404, str(refused.value))


@pytest.mark.parametrize(
    "words",
    [
        ["events", "list", "--limit", "-1"],
        ["deliveries", "list", "--limit", "99999999999999999999"],
        ["receipts", "list", "--limit", "many"],
        ["endpoints", "rotate_secret", "a", "--overlap-hours", "nan"],
        ["endpoints", "rotate_secret", "a", "--overlap-hours", "1e300"],
        ["sources", "rotate_secret", "a", "--overlap-hours", "-1"],
        ["events", "publish", "video.failed", "--data", "[1]"],
        ["event_types", "create", "order.paid", "--schema", "{"],
    ],
)
def test_a_word_that_cannot_be_is_refused_before_anything_is_done(words):
    with pytest.raises(CommandError, match="argument --"):
        run(*words)


def test_an_endpoint_takes_its_filter_and_retries_and_explains(endpoint):
    run(
        "endpoints",
        "change",
        "a",
        "--filter",
        '{"videoId": "v1"}',
        "--retry-strategy",
        "schedule",
        "--retry-schedule",
        "0",
        "--retry-schedule",
        "60",
    )
    changed = Endpoint.living.get()
    assert (changed.filter_conditions, changed.retry_strategy, changed.retry_schedule) == ({"videoId": "v1"}, "schedule", [0, 60])
    run("events", "publish", "video.failed", "--data", '{"videoId": "v2", "error": {"message": "m"}}', "--id", "x")
    assert run_json("endpoints", "explain", "a", "x")["would_deliver"] is False


def test_event_types_and_sources_are_changed():
    run("event_types", "create", "order.paid", "--schema", '{"required": ["total"]}', "--example", '{"total": 1}')
    assert run_json("event_types", "show", "order.paid")["example"] == {"total": 1}
    run("event_types", "change", "order.paid", "--description", "Money came.")
    assert run_json("event_types", "show", "order.paid")["schema"] is None
    assert run_json("event_types", "delete", "order.paid")["deleted"] is True
    with pytest.raises(CommandError, match="built-in catalogue"):
        run("event_types", "delete", "video.failed")
    run("sources", "create", "shop")
    run("sources", "change", "shop", "--name", "The shop", "--rate-burst", "7")
    assert Source.living.filter(slug="shop", name="The shop", rate_burst=7).exists()


def test_a_database_that_cannot_be_used_is_a_sentence(monkeypatch):
    def away(given):
        raise OperationalError("no such table: webhooks_endpoint\nmore")

    monkeypatch.setitem(endpoints.Command.deeds, "list", replace(endpoints.Command.deeds["list"], do=away))
    with pytest.raises(CommandError, match=r"no such table: webhooks_endpoint\. `manage.py doctor`"):
        run("endpoints", "list")


def test_bad_words_are_refused_with_a_sentence():
    with pytest.raises(CommandError, match="no endpoint 'nobody'"):
        run("endpoints", "pause", "nobody")
    with pytest.raises(CommandError, match="not JSON"):
        run("events", "publish", "video.failed", "--data", "{")
    with pytest.raises(CommandError, match=r"nope\.x"):
        run("events", "publish", "nope.x")
    with pytest.raises(CommandError, match="not a time"):
        run("replays", "preview", "a", "--since", "yesterday-ish")


def test_an_event_is_published_routed_shown_and_replayed(endpoint):
    data = json.dumps({"videoId": "v", "error": {"message": "m"}})
    event = run_json("events", "publish", "video.failed", "--data", data, "--id", "e1")
    assert event["is_new"] is True
    jobs.work("kernel.route")
    shown = run_json("events", "show", "e1")
    assert [one["endpoint"] for one in shown["deliveries"]] == ["a"]
    assert run_json("replays", "preview", "a", "--since", "2020-01-01")["count"] == 1
    started = run_json("replays", "start", "a", "--since", "2020-01-01T00:00:00Z")
    assert run_json("replays", "pause", started["id"])["status"] == "paused"
    assert run_json("replays", "cancel", started["id"])["status"] == "cancelled"


def test_dead_letters_are_listed_and_sent_again():
    delivery = DeliveryFactory(status=DeliveryStatus.DEAD, next_attempt_at=None)
    [listed] = run_json("deliveries", "list", "--status", "dead")
    assert listed["id"] == delivery.uid
    assert run_json("deliveries", "redeliver_dead") == {"requeued": 1}
    assert Delivery.objects.get().status == DeliveryStatus.PENDING
    with pytest.raises(CommandError, match="only one that has ended"):
        run("deliveries", "redeliver", delivery.uid)
    assert run_json("deliveries", "cancel", delivery.uid)["status"] == "cancelled"
    assert run_json("deliveries", "stats")["pending_deliveries"] == 0


def test_a_source_is_made_explained_paused_and_deleted():
    made = run_json("sources", "create", "shop")
    assert made["secret"]
    assert "/in/shop" in run("sources", "setup", "shop")
    assert run_json("sources", "pause", "shop")["status"] == "paused"
    assert run_json("sources", "resume", "shop")["status"] == "active"
    run("sources", "delete", "shop")
    assert run("sources", "list").strip() == "None." or "shop" not in run("sources", "list")


def test_a_receipt_shows_why_it_was_refused():
    receipt = ReceiptFactory(status="rejected", reason="bad_signature", explanation="The secret is another one.", event=None)
    assert "The secret is another one." in run("receipts", "show", receipt.uid)
    assert run_json("receipts", "list", "--status", "rejected")[0]["reason"] == "bad_signature"


def test_a_duty_can_be_worked_here_and_now():
    assert "webhooks.deliver" in run("work")
    assert run_json("work", "kernel.route") == {"duty": "kernel.route", "done": 0}
    with pytest.raises(CommandError, match=r"kernel\.nothing"):
        run("work", "kernel.nothing")
