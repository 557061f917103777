"""API tokens: made once, shown once, checked at every call; and the commands for tokens and keys."""

import io
import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from config.kernel.desk import tokens
from config.kernel.flow import clock, context
from config.kernel.flow.errors import InvalidInput
from config.kernel.models import ApiToken, AuditRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer() -> User:
    user = User.objects.create_user("vera")
    user.groups.add(Group.objects.get(name="automation_viewer"))
    return user


def authenticate(header: str):
    return tokens.TokenAuthentication().authenticate(APIRequestFactory().get("/", HTTP_AUTHORIZATION=header))


def test_a_token_has_a_prefix_and_43_characters_and_only_its_hash_is_kept(viewer):
    token, plain = tokens.create(viewer, name="ci")
    assert re.fullmatch(r"stw_[A-Za-z0-9_-]{43}", plain)
    row = ApiToken.objects.values().get(pk=token.pk)
    assert plain not in str(row)
    assert row["digest"] == tokens.digest(plain)
    assert row["hint"] == plain[-4:]


def test_making_and_revoking_are_audited_without_the_token(viewer):
    token, plain = tokens.create(viewer, name="ci")
    assert tokens.revoke(token)
    assert not tokens.revoke(token)
    records = AuditRecord.objects.filter(subject=f"apitoken:{token.uid}")
    assert sorted(record.action for record in records) == ["token.created", "token.revoked"]
    assert not any(plain in str(record.detail) for record in records)


def test_bearer_gives_the_owner_and_names_the_actor(viewer):
    token, plain = tokens.create(viewer)
    with context.using(actor="anonymous"):
        assert authenticate(f"Bearer {plain}") == (viewer, token)
        assert context.current().actor == "vera"


@pytest.mark.parametrize("header", ["", "Basic dmVyYTp4", "Token abc"])
def test_another_scheme_is_left_to_the_next_authentication(header):
    assert authenticate(header) is None


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer stw_unknown", "Bearer two words", "Bearer \xff\xfe"])
def test_a_token_that_is_not_known_is_refused(header):
    with pytest.raises(AuthenticationFailed, match="not known"):
        authenticate(header)


def test_a_revoked_token_opens_nothing(viewer):
    token, plain = tokens.create(viewer)
    tokens.revoke(token)
    with pytest.raises(AuthenticationFailed, match="revoked"):
        authenticate(f"Bearer {plain}")


def test_a_token_ends_at_its_expiry(viewer):
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        _, plain = tokens.create(viewer, expires_at=clock.now() + timedelta(days=1))
        assert authenticate(f"Bearer {plain}")
        moment.shift(timedelta(days=1))
        with pytest.raises(AuthenticationFailed, match="expired"):
            authenticate(f"Bearer {plain}")


def test_the_token_of_a_deactivated_owner_is_refused(viewer):
    _, plain = tokens.create(viewer)
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    with pytest.raises(AuthenticationFailed, match="deactivated"):
        authenticate(f"Bearer {plain}")


def test_the_last_use_is_noted_at_most_once_a_minute(viewer):
    token, plain = tokens.create(viewer)
    with time_machine.travel("2026-01-31T12:00:00Z", tick=False) as moment:
        authenticate(f"Bearer {plain}")
        first = clock.now()
        moment.shift(59)
        authenticate(f"Bearer {plain}")
        token.refresh_from_db()
        assert token.last_used_at == first
        moment.shift(1)
        authenticate(f"Bearer {plain}")
        token.refresh_from_db()
        assert token.last_used_at == first + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("scopes", "said"),
    [(["no:such"], "no permission no:such"), ([], "empty"), (["webhooks:manage"], "'vera' does not have webhooks:manage")],
)
def test_scopes_that_cannot_be_given_are_refused(viewer, scopes, said):
    with pytest.raises(InvalidInput, match=said):
        tokens.create(viewer, scopes=scopes)


def test_an_expiry_in_the_past_is_refused(viewer):
    with pytest.raises(InvalidInput, match="expired already"):
        tokens.create(viewer, expires_at=clock.now())


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_token_as_json(viewer):
    printed = json.loads(run("create_token", "vera", "--name", "ci", "--scope", "webhooks:view", "--expires-days", "2", "--json"))
    owner, token = authenticate(f"Bearer {printed['token']}")
    assert owner == viewer
    assert (token.uid, token.name, token.scopes) == (printed["id"], "ci", ["webhooks:view"])
    assert token.expires_at is not None


def test_the_command_prints_nothing_but_the_token_otherwise(viewer):
    assert authenticate(f"Bearer {run('create_token', 'vera').strip()}")


def test_the_command_names_the_users_there_are(viewer):
    with pytest.raises(CommandError, match=r"no user 'nora'\. There are: vera\."):
        run("create_token", "nora", "--json")


def test_the_command_explains_a_wrong_scope(viewer):
    with pytest.raises(CommandError, match="no permission nonsense"):
        run("create_token", "vera", "--scope", "nonsense")


def test_the_command_explains_an_absurd_expiry(viewer):
    with pytest.raises(CommandError, match="expires-days"):
        run("create_token", "vera", "--expires-days", "1e300")
