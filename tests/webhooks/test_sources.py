"""What is done to a source, and what is written down about it."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoAssertNumQueries, Settings

from config.kernel.flow.errors import Conflict, InvalidInput
from config.kernel.models import AuditRecord, Event
from tests.support.inbound import SECRET, post, post_github
from webhooks.enums import SourceStatus
from webhooks.models import Source
from webhooks.services import sources

pytestmark = pytest.mark.django_db


def known_events() -> list[str]:
    return list(Event.objects.order_by("id").values_list("type", flat=True))


def test_new_source_has_a_secret_an_audit_record_and_an_event() -> None:
    made = sources.create(slug="shop", preset="hmac", name="Shop")
    assert len(made.secret) >= 32
    assert AuditRecord.objects.get().action == "source.created"
    assert known_events() == ["source.created"]
    assert made.secret not in str(AuditRecord.objects.get().detail) + bytes(Event.objects.get().body).decode()


def test_secret_is_encrypted_at_rest() -> None:
    made = sources.create(slug="shop", preset="hmac")
    stored = Source.objects.extra(select={"raw": "secret"}).values_list("raw", flat=True).get()
    assert made.secret not in stored


@pytest.mark.parametrize("preset", ["stripe", "slack", "shopify"])
def test_sender_that_makes_its_own_secret_is_refused_until_it_is_set(preset: str) -> None:
    made = sources.create(slug="s1", preset=preset)
    assert made.secret == ""
    assert post("/in/s1", b"{}", {}).status_code == 503


@pytest.mark.parametrize("slug", ["", "Shop", "a b", "a.b", "a/b", "-a", "x" * 49, "endpoint", "delivery", "source", "ä", "video"])
def test_slug_that_could_be_misread_is_refused(slug: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        sources.create(slug=slug, preset="hmac")
    assert "slug" in caught.value.fields


def test_taken_slug_is_a_conflict_until_its_source_is_deleted() -> None:
    first = sources.create(slug="shop", preset="hmac").source
    with pytest.raises(Conflict):
        sources.create(slug="shop", preset="bearer")
    assert sources.delete(first)
    assert not sources.delete(first)
    sources.create(slug="shop", preset="bearer")


@pytest.mark.parametrize(
    "fields",
    [
        {"preset": "nothing"},
        {"config": {"algorithm": "md5"}},
        {"config": {"unknown": 1}},
        {"rate_per_second": 0},
        {"rate_burst": 0},
        {"max_body_bytes": 0},
        {"github_hook": "https://github.example/hooks/1"},
        {"github_hook": "repos/a/../../x/hooks/1"},
        {"name": "x" * 121},
        {"secret": " padded "},
        {"secret": "nul\x00"},
        {"preset": "basic", "secret": "nocolon"},
    ],
)
def test_bad_values_are_refused_with_the_field_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        sources.create(**{"slug": "shop", "preset": "hmac", **fields})
    assert caught.value.fields
    assert not Source.objects.exists()


def test_update_changes_what_is_named_and_is_audited() -> None:
    source = sources.create(slug="shop", preset="hmac").source
    sources.update(source, name="Our shop", rate_burst=5)
    source.refresh_from_db()
    assert (source.name, source.rate_burst) == ("Our shop", 5)
    assert AuditRecord.objects.get(action="source.updated").detail == {"changed": ["name", "rate_burst"]}


@pytest.mark.parametrize("field", ["slug", "secret", "status", "deleted_at", "nonsense"])
def test_update_leaves_what_has_its_own_deed(field: str) -> None:
    source = sources.create(slug="shop", preset="hmac").source
    with pytest.raises(InvalidInput):
        sources.update(source, **{field: "x"})


def test_pause_and_resume_happen_once() -> None:
    source = sources.create(slug="shop", preset="hmac").source
    assert (sources.pause(source), sources.pause(source)) == (True, False)
    assert source.status == SourceStatus.PAUSED
    assert (sources.resume(source), sources.resume(source)) == (True, False)
    assert known_events() == ["source.created", "source.paused", "source.resumed"]


def test_paused_source_answers_503_and_when_to_come_again() -> None:
    source = sources.create(slug="github", preset="github", secret=SECRET).source
    sources.pause(source)
    reply = post_github({"zen": "x"}, event="ping")
    assert (reply.status_code, reply["Retry-After"]) == (503, "60")
    sources.resume(source)
    assert post_github({"zen": "x"}, event="ping").status_code == 202


def test_old_secret_is_accepted_until_its_overlap_ends() -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        source = sources.create(slug="github", preset="github", secret=SECRET).source
        new = sources.rotate_secret(source, overlap_hours=2)
        assert post_github({}, event="star", delivery="1").status_code == 202
        assert post_github({}, event="star", delivery="2", secret=new).status_code == 202
        clock.shift(timedelta(hours=2, seconds=1))
        assert post_github({}, event="star", delivery="3").status_code == 401
        assert post_github({}, event="star", delivery="4", secret=new).status_code == 202
    refused = source.receipts.get(status="rejected")
    assert refused.reason == "old_secret"


def test_overlap_of_nothing_ends_the_old_secret_at_once() -> None:
    source = sources.create(slug="github", preset="github", secret=SECRET).source
    new = sources.rotate_secret(source, overlap_hours=0)
    assert post_github({}, event="star").status_code == 401
    assert post_github({}, event="star", secret=new).status_code == 202


def test_rotation_names_no_secret() -> None:
    source = sources.create(slug="shop", preset="hmac", secret="the-first-one").source
    new = sources.rotate_secret(source)
    told = bytes(Event.objects.get(type="source.secret_rotated").body).decode() + str(
        AuditRecord.objects.get(action="source.secret_rotated").detail
    )
    assert "old_accepted_until" in told
    assert new not in told
    assert "the-first-one" not in told


def test_deleted_source_answers_404() -> None:
    source = sources.create(slug="shop", preset="hmac").source
    sources.delete(source)
    assert post("/in/shop", b"{}", {}).status_code == 404


def test_find_asks_the_database_once_a_second(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    sources.create(slug="shop", preset="hmac")
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        assert sources.known_by("shop")
        with django_assert_num_queries(0):
            assert sources.known_by("shop")
        clock.shift(1.1)
        with django_assert_num_queries(2):
            assert sources.known_by("shop")


# --- the source that the environment makes -----------------------------------------------------


def test_without_a_github_secret_everything_is_refused(settings: Settings) -> None:
    settings.GITHUB_WEBHOOK_SECRET = ""
    reply = post_github({}, event="ping")
    assert reply.status_code == 503
    assert reply.json()["status"] == "rejected"
    assert not Source.objects.exists()


def test_environment_makes_the_github_source(settings: Settings) -> None:
    settings.GITHUB_WEBHOOK_SECRET = SECRET
    assert post_github({"zen": "x"}, event="ping").status_code == 202
    source = Source.objects.get()
    assert (source.slug, source.preset, source.secret) == ("github", "github", SECRET)


def test_new_secret_in_the_environment_rotates_the_source(settings: Settings) -> None:
    settings.GITHUB_WEBHOOK_SECRET = SECRET
    sources.ensure_github()
    settings.GITHUB_WEBHOOK_SECRET = "a newer one"
    source = sources.ensure_github()
    assert source is not None
    assert source.secret == "a newer one"
    assert post_github({}, event="star").status_code == 202


def test_secret_that_a_person_set_later_is_left_alone(settings: Settings) -> None:
    settings.GITHUB_WEBHOOK_SECRET = SECRET
    source = sources.ensure_github()
    assert source is not None
    sources.rotate_secret(source, secret="set by a person")
    again = sources.ensure_github()
    assert again is not None
    assert again.secret == "set by a person"


def test_setup_help_has_the_address_to_copy(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://ops.example"
    github = sources.create(slug="github", preset="github").source
    shop = sources.create(slug="shop", preset="hmac", config={"header": "X-Shop-Sig"}).source
    assert sources.setup_help(github).url == "https://ops.example/api/v1/webhooks/github"
    assert sources.setup_help(shop).url == "https://ops.example/in/shop"
    assert any("x-shop-sig" in step for step in sources.setup_help(shop).steps)
