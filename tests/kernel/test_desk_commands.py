"""The commands `options`, `setup_roles` and `rotate_keys`."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from config.kernel.management.commands import rotate_keys
from config.kernel.models import AuditRecord, IdempotencyKey, Option

pytestmark = pytest.mark.django_db
NEW = Fernet.generate_key().decode()


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_options_are_listed_with_where_they_come_from():
    listed = {one["name"]: one for one in json.loads(run("options", "list", "--json"))}
    assert set(listed["API_RATE_PER_MINUTE"]) == {"name", "value", "default", "source", "kind", "unit", "help"}


def test_an_option_is_set_shown_and_reset():
    assert json.loads(run("options", "set", "EVENT_HOP_LIMIT", "4", "--json"))["value"] == 4
    assert "EVENT_HOP_LIMIT = 4" in run("options", "get", "EVENT_HOP_LIMIT")
    assert AuditRecord.objects.get(action="option.changed").actor == "command line"
    assert json.loads(run("options", "reset", "EVENT_HOP_LIMIT", "--json"))["source"] == "default"
    assert not Option.objects.exists()


@pytest.mark.parametrize(("words", "said"), [(("get", "NOPE"), "no option 'NOPE'"), (("set", "EVENT_HOP_LIMIT", "many"), "whole number")])
def test_what_cannot_be_done_is_said_in_a_sentence(words, said):
    with pytest.raises(CommandError, match=said):
        run("options", *words)


def test_roles_are_printed_as_json():
    printed = json.loads(run("setup_roles", "--json"))
    assert printed["added"] == 0
    assert "webhooks:view" in printed["groups"]["automation_viewer"]


@pytest.fixture
def kept() -> IdempotencyKey:
    owner = User.objects.create_user("kay")
    return IdempotencyKey.objects.create(owner=owner, key="k", path="/", digest="d", status_code=201, body='{"secret": "s"}')


def stored(row: IdempotencyKey) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM kernel_idempotencykey WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def test_rotating_brings_every_secret_under_the_first_key_and_may_be_repeated(kept, settings):
    before = stored(kept)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, *settings.FIELD_ENCRYPTION_KEYS]
    for _ in range(2):
        assert json.loads(run("rotate_keys", "--json"))["failed"] == 0
    assert stored(kept) != before
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    kept.refresh_from_db()
    assert kept.body == '{"secret": "s"}'


def test_rotating_goes_batch_by_batch_over_all_rows(kept, settings):
    for number in range(4):
        IdempotencyKey.objects.create(owner=kept.owner, key=f"k{number}", path="/", digest="d", body="x")
    IdempotencyKey.objects.create(owner=kept.owner, key="empty", path="/", digest="d")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, *settings.FIELD_ENCRYPTION_KEYS]
    steps = [one.done for one in rotate_keys.rotate(batch=2) if one.column == "kernel.IdempotencyKey.body"]
    assert steps == [2, 4, 5]


def test_a_secret_that_no_key_opens_is_counted_and_left(kept, settings):
    before = stored(kept)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="1 secrets fit none"):
        run("rotate_keys")
    assert stored(kept) == before


def test_every_encrypted_column_of_every_app_is_found():
    found = {f"{model._meta.label}.{field.attname}" for model, field in rotate_keys.columns()}
    assert {"kernel.IdempotencyKey.body", "webhooks.Endpoint.secret", "webhooks.Endpoint.old_secrets", "webhooks.Source.secret"} <= found
