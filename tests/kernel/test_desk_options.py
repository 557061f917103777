"""Live options: where a value comes from, what is refused, who hears of a change."""

import os

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kernel.desk import options
from config.kernel.flow.errors import InvalidInput, NotFound
from config.kernel.models import AuditRecord, Event, Option

pytestmark = pytest.mark.django_db
NAME = "WEBHOOK_DEFAULT_RETRIES"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    options.forget()


def test_without_row_and_variable_the_default_holds():
    assert options.get(NAME) == 3
    assert options.shown(NAME).source == "default"


def test_the_environment_beats_the_default(monkeypatch):
    monkeypatch.setenv(NAME, "1")
    assert options.get(NAME) == 1
    assert options.shown(NAME).source == "environment"


def test_a_change_beats_the_environment(monkeypatch):
    monkeypatch.setenv(NAME, "1")
    options.set(NAME, 5)
    assert options.get(NAME) == 5
    assert (options.shown(NAME).source, options.shown(NAME).default) == ("changed", 1)


def test_a_reset_brings_the_default_back():
    options.set(NAME, 5)
    assert options.clear(NAME) == 3
    assert options.get(NAME) == 3


@pytest.mark.parametrize(
    ("name", "given", "found"),
    [
        (NAME, "7", 7),
        ("REQUIRE_WEBHOOK_AUTH", "no", False),
        ("REQUIRE_WEBHOOK_AUTH", True, True),
        ("NOTIFY_EMAILS", "a@x.example, b@x.example", ["a@x.example", "b@x.example"]),
        ("NOTIFY_EMAILS", '["a@x.example"]', ["a@x.example"]),
        ("NOTIFY_WEBHOOK_URL", " https://x.example/ ", "https://x.example/"),
    ],
)
def test_text_is_read_as_its_kind(name, given, found):
    assert options.validate(name, given) == found


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (NAME, -1),
        (NAME, 51),
        (NAME, True),
        (NAME, "three"),
        (NAME, 2.5),
        (NAME, None),
        (NAME, "9" * 30),
        ("REQUIRE_WEBHOOK_AUTH", "perhaps"),
        ("REQUIRE_WEBHOOK_AUTH", 1),
        ("NOTIFY_EMAILS", [1]),
        ("NOTIFY_EMAILS", '["unfinished'),
        ("NOTIFY_WEBHOOK_URL", "https://x.example/\0"),
        ("NOTIFY_WEBHOOK_URL", "x" * 2001),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(name, given):
    with pytest.raises(InvalidInput, match=name):
        options.set(name, given)
    assert not Option.objects.exists()


def test_an_unknown_name_is_not_found():
    with pytest.raises(NotFound, match="options list"):
        options.get("NO_SUCH_OPTION")


def test_a_change_is_audited_and_announced_with_before_and_after():
    user = User.objects.create_user("mira")
    options.set(NAME, 5, user)
    record = AuditRecord.objects.get(action="option.changed")
    assert (record.actor, record.subject, record.detail) == ("mira", f"option:{NAME}", {"before": 3, "after": 5})
    event = Event.objects.get(type="configuration.changed")
    assert event.data == {"name": NAME, "before": 3, "after": 5, "changed_by": "mira"}
    assert Option.objects.get(name=NAME).changed_by == user


def test_setting_the_same_value_announces_nothing():
    options.set(NAME, 3)
    assert not Event.objects.filter(type="configuration.changed").exists()


def test_a_secret_in_a_url_is_not_written_down():
    options.set("NOTIFY_WEBHOOK_URL", "https://user:hunter2@x.example/hook")
    assert "hunter2" not in str(AuditRecord.objects.get(action="option.changed").detail)
    assert b"hunter2" not in bytes(Event.objects.get(type="configuration.changed").body)


def test_reading_again_within_a_second_asks_no_database():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as clock:
        options.get(NAME)
        with CaptureQueriesContext(connection) as found:
            options.get(NAME)
        assert len(found) == 0
        clock.shift(1.5)
        with CaptureQueriesContext(connection) as found:
            options.get(NAME)
        assert len(found) == 1


def test_another_process_is_followed_within_a_second():
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as clock:
        assert options.get(NAME) == 3
        Option.objects.create(name=NAME, value=9)
        clock.shift(1.5)
        assert options.get(NAME) == 9


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_is_seen_inside_only():
    with transaction.atomic():
        options.set(NAME, 9)
        assert options.get(NAME) == 9
        transaction.set_rollback(True)
    assert options.get(NAME) == 3


@pytest.mark.django_db(transaction=True)
def test_a_committed_change_holds_at_once():
    assert options.get(NAME) == 3
    options.set(NAME, 9)
    assert options.get(NAME) == 9


def test_every_declared_option_has_a_default_of_its_kind_and_a_sentence(monkeypatch):
    for one in options.all():
        monkeypatch.delenv(one.name, raising=False)
    for one in options.all():
        assert options.validate(one.name, one.default) == one.default
        assert one.help.endswith(".")


def test_a_wrong_variable_is_named_by_the_system_check(monkeypatch):
    monkeypatch.setitem(os.environ, NAME, "many")
    [found] = options.check_environment()
    assert NAME in found.msg
