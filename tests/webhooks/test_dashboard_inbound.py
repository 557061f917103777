"""The pages of sources and receipts: set-up help, refusals explained, and nothing that a sender wrote gets into the markup."""

import json

import pytest

from config.kernel.flow import clock
from config.kernel.wire import signing
from tests.support.api import VIEWER
from tests.support.factories import EventFactory, ReceiptFactory, SourceFactory
from tests.support.pages import client_of, said, statements, text_of
from webhooks.enums import Preset, ReceiptStatus, SourceStatus
from webhooks.models import Receipt, Source

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def admin():
    return client_of()


@pytest.fixture
def viewer():
    return client_of(VIEWER)


@pytest.fixture
def source():
    return SourceFactory(slug="shop", name="The shop", preset=Preset.GITHUB, secret="a-secret-of-github")


def test_no_sources_says_what_to_do_first(admin):
    assert "Nobody sends to us yet" in text_of(admin.get("/sources"))


def test_the_list_counts_by_status_and_links_to_the_rows(viewer, source):
    ReceiptFactory(source=source)
    ReceiptFactory(source=source, status=ReceiptStatus.REJECTED)
    page = text_of(viewer.get("/sources"))
    assert "/receipts?source=shop&amp;status=rejected&amp;since=24h" in page
    assert "/receipts?source=shop&amp;status=accepted&amp;since=24h" in page


def test_the_list_costs_as_many_statements_for_twelve_as_for_one(viewer, source):
    ReceiptFactory(source=source)
    before = statements(viewer, "/sources")
    for _ in range(11):
        ReceiptFactory()
    assert statements(viewer, "/sources") == before
    assert before < 20


@pytest.mark.parametrize("preset", Preset.values)
def test_every_preset_has_a_page_with_its_address_and_steps_and_without_its_secret(viewer, preset):
    secret = "user:secret-of-it" if preset == Preset.BASIC else "secret-of-it"
    source = SourceFactory(slug="sender", preset=preset, secret=secret)
    page = text_of(viewer.get(f"/sources/{source.uid}"))
    assert "/in/sender" in page
    assert "Set up the sender" in page
    assert "secret-of-it" not in page


def test_a_github_source_shows_what_the_search_for_missed_deliveries_found(viewer, settings):
    settings.GITHUB_TOKEN = "a-token"
    state = {"missing": {"guid": {}}, "redelivered": 4, "error": "GitHub answered 404."}
    source = SourceFactory(preset=Preset.GITHUB, github_hook="repos/a/b/hooks/1", gap_checked_at=clock.now(), gap_state=state)
    page = text_of(viewer.get(f"/sources/{source.uid}"))
    assert "repos/a/b/hooks/1" in page
    assert "GitHub answered 404." in page


def test_adding_shows_the_secret_once_and_the_set_up_help(admin):
    page = text_of(admin.post("/sources/new", {"slug": "build", "preset": "hmac", "config": ""}))
    made = Source.objects.get()
    assert made.secret in page
    assert "/in/build" in page
    assert made.secret not in text_of(admin.get(f"/sources/{made.uid}"))
    assert made.secret not in text_of(admin.get(f"/sources/{made.uid}/edit"))


def test_mistakes_are_said_beside_their_fields(admin, source):
    assert "already" in text_of(admin.post("/sources/new", {"slug": "shop", "preset": "hmac"}))
    assert "cannot be mistaken" in text_of(admin.post("/sources/new", {"slug": "system", "preset": "hmac"}))
    assert "has no setting" in text_of(admin.post("/sources/new", {"slug": "new", "preset": "github", "config": '{"header": "x"}'}))
    assert Source.objects.count() == 1


def test_editing_changes_limits_but_not_the_slug(admin, source):
    answer = admin.post(f"/sources/{source.uid}/edit", {"preset": "github", "name": "Renamed", "rate_burst": "7", "slug": "x"}, follow=True)
    assert "is saved" in said(answer)
    source.refresh_from_db()
    assert (source.name, source.rate_burst, source.slug) == ("Renamed", 7, "shop")


def test_rotating_shows_the_new_secret_once(admin, source):
    page = text_of(admin.post(f"/sources/{source.uid}/rotate", {"secret": "", "overlap_hours": "1"}))
    source.refresh_from_db()
    assert source.secret != "a-secret-of-github"
    assert source.secret in page
    later = text_of(admin.get(f"/sources/{source.uid}"))
    assert source.secret not in later
    assert "1 old one still accepted" in later


def test_pause_resume_and_delete_change_the_row(admin, source):
    for deed, status in (("pause", SourceStatus.PAUSED), ("resume", SourceStatus.ACTIVE)):
        assert "shop" in said(admin.post(f"/sources/{source.uid}/{deed}", {"next": "/sources"}, follow=True))
        source.refresh_from_db()
        assert source.status == status
    assert "Delete the source" in text_of(admin.get(f"/sources/{source.uid}/delete"))
    assert "answers 404" in said(admin.post(f"/sources/{source.uid}/delete", follow=True))
    assert Source.living.count() == 0


@pytest.mark.parametrize("deed", ["pause", "resume", "delete", "rotate", "edit"])
def test_a_viewer_may_do_nothing_to_a_source(viewer, source, deed):
    assert viewer.post(f"/sources/{source.uid}/{deed}", {"overlap_hours": "1"}).status_code == 403
    source.refresh_from_db()
    assert (source.status, source.secret, source.deleted_at) == (SourceStatus.ACTIVE, "a-secret-of-github", None)
    assert viewer.get("/sources/new").status_code == 403


def test_no_receipts_says_what_to_do_first(viewer):
    assert "Nothing has come in yet" in text_of(viewer.get("/receipts"))


def test_receipts_are_filtered_by_status_and_source(viewer, source):
    refused = ReceiptFactory(source=source, status=ReceiptStatus.REJECTED, explanation="The secret is an old one.")
    other = ReceiptFactory()
    for query in ({"status": "rejected"}, {"source": "shop"}):
        page = text_of(viewer.get("/receipts", query))
        assert refused.uid in page
        assert other.uid not in page
    assert "The secret is an old one." in text_of(viewer.get("/receipts"))


def test_the_list_of_receipts_costs_as_many_statements_for_twelve_as_for_one(viewer):
    ReceiptFactory(event=EventFactory(type="source0.x", source="inbound:source0"))
    before = statements(viewer, "/receipts")
    for number in range(11):
        ReceiptFactory(event=EventFactory(type=f"source{number}.y", source="inbound:source0"))
    assert statements(viewer, "/receipts") == before
    assert before < 20


def test_receipts_are_exported(viewer):
    assert ReceiptFactory().uid in text_of(viewer.get("/receipts", {"export": "csv"}))


def test_a_refusal_is_explained_to_the_operator(viewer):
    refused = ReceiptFactory(status=ReceiptStatus.REJECTED, reason="wrong_secret", explanation="The proof does not fit the body.")
    page = text_of(viewer.get(f"/receipts/{refused.uid}"))
    assert "Refused (wrong secret)" in page
    assert "The proof does not fit the body." in page


def test_a_script_in_a_branch_name_is_escaped_wherever_it_is_shown(viewer, client, source):
    payload = {"action": "opened", "number": 1, "pull_request": {"title": EVIL, "head": {"ref": EVIL}}, "repository": {"full_name": "a/b"}}
    body = json.dumps(payload).encode()
    headers = {
        "X-GitHub-Event": "pull_request",
        "X-GitHub-Delivery": EVIL,
        "X-Hub-Signature-256": signing.hub_sign(source.secret, body),
        "User-Agent": EVIL,
    }
    assert client.post("/in/shop", body, content_type="application/json", headers=headers).status_code == 202
    receipt = Receipt.objects.select_related("event").get()
    assert receipt.event is not None
    seen = 0
    for address in ("/receipts", f"/receipts/{receipt.uid}", f"/sources/{source.uid}", f"/events/{receipt.event.uid}"):
        answer = viewer.get(address)
        page = text_of(answer)
        assert answer.status_code == 200
        assert EVIL not in page
        seen += page.count("&lt;script&gt;alert(1)&lt;/script&gt;")
    assert seen >= 4


def test_reprocessing_routes_the_event_again(admin):
    event = EventFactory(type="shop.thing", source="inbound:shop", routed_at=clock.now())
    receipt = ReceiptFactory(event=event)
    answer = admin.post(f"/receipts/{receipt.uid}/reprocess", {"next": f"/receipts/{receipt.uid}"}, follow=True)
    assert "processed again" in said(answer)


def test_what_cannot_be_reprocessed_says_why(admin):
    receipt = ReceiptFactory(status=ReceiptStatus.REJECTED, body=None, body_size=9)
    answer = admin.post(f"/receipts/{receipt.uid}/reprocess", {"next": f"/receipts/{receipt.uid}"}, follow=True)
    assert "not kept whole" in said(answer)


def test_a_viewer_may_not_reprocess(viewer):
    receipt = ReceiptFactory()
    assert viewer.post(f"/receipts/{receipt.uid}/reprocess").status_code == 403
    assert "Reprocess" not in text_of(viewer.get(f"/receipts/{receipt.uid}"))
