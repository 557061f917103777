"""What webhooks adds to pages of the roof: panels, the story of an event, the search, the navigation; and the public keys."""

import re
from datetime import timedelta

import pytest

from config.kernel.flow import clock
from config.kernel.wire import signing
from tests.support.api import VIEWER
from tests.support.factories import (
    AttemptFactory,
    BatchFactory,
    DeliveryFactory,
    EndpointFactory,
    EventFactory,
    ReceiptFactory,
    SkipFactory,
    SourceFactory,
)
from tests.support.pages import client_of, statements, text_of
from webhooks.dashboard import finders, stories
from webhooks.enums import DeliveryStatus, ErrorCode, ReceiptStatus, SkipReason
from webhooks.models import Replay
from webhooks.services import stats

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer():
    return client_of(VIEWER)


def test_the_overview_shows_rate_latency_and_dead_letters(viewer):
    for milliseconds in range(1, 101):
        status = DeliveryStatus.DEAD if milliseconds > 90 else DeliveryStatus.DELIVERED
        AttemptFactory(delivery=DeliveryFactory(ended=status), duration_ms=milliseconds)
    page = text_of(viewer.get("/"))
    for shown in ("90.0 %", "50 ms", "95 ms", "99 ms", "/dead-letters"):
        assert shown in page


def test_the_overview_without_anything_invites_to_begin(viewer):
    page = text_of(viewer.get("/"))
    assert "There are no endpoints" in page
    assert "could not be drawn" not in page


def test_the_overview_names_the_endpoints_that_need_a_person_and_no_other(viewer):
    EndpointFactory(description="Well and quiet")
    assert "All endpoints are well" in text_of(viewer.get("/"))
    EndpointFactory(description="Failing all day", failing_since=clock.now())
    DeliveryFactory(endpoint=EndpointFactory(description="Full of letters"), ended=DeliveryStatus.DEAD)
    page = text_of(viewer.get("/"))
    assert "Failing all day" in page
    assert "Full of letters" in page
    assert "Well and quiet" not in page


def test_the_overview_costs_as_many_statements_for_eight_endpoints_as_for_one(viewer):
    DeliveryFactory(ended=DeliveryStatus.DEAD)
    statements(viewer, "/")  # what is remembered for seconds is remembered now
    before = statements(viewer, "/")
    for _ in range(7):
        DeliveryFactory(ended=DeliveryStatus.DEAD)
    assert statements(viewer, "/") == before


def test_percentiles_are_lengths_that_were_measured():
    for milliseconds in (10, 20, 1000):
        AttemptFactory(duration_ms=milliseconds)
    AttemptFactory(duration_ms=5000, status_code=None, error_code=ErrorCode.TIMEOUT)
    found = stats.latency(since=clock.now() - timedelta(hours=1))
    assert found == stats.Latency(p50=20, p95=1000, p99=1000, count=3)
    assert stats.latency(since=clock.now() + timedelta(hours=1)) is None


def test_a_story_tells_receipt_skip_attempts_and_the_end():
    event = EventFactory(type="shop.thing", source="inbound:shop")
    ReceiptFactory(event=event, event_type="thing", status=ReceiptStatus.ACCEPTED)
    SkipFactory(event=event, endpoint=EndpointFactory(description="Picky"), detail="filter on video_duration")
    SkipFactory(
        event=event, endpoint=EndpointFactory(description="Asleep"), reason=SkipReason.DISABLED, detail="The endpoint was disabled."
    )
    dead = DeliveryFactory(event=event, endpoint=EndpointFactory(description="Broken"), ended=DeliveryStatus.DEAD)
    AttemptFactory(delivery=dead, status_code=500, error_code=ErrorCode.HTTP_STATUS, duration_ms=12)
    told = [(moment.tone, moment.text) for moment in stories.tell(event)]
    assert ("held", "Skipped: filter on video_duration. Not sent to Picky") in told
    assert ("held", "Skipped: endpoint disabled. Not sent to Asleep") in told
    assert ("bad", "Attempt 1 to Broken: answered 500 after 12 ms") in told
    assert any("dead letter" in text for tone, text in told if tone == "bad")
    assert any(text.startswith("Received from the source") for _, text in told)


def test_a_story_tells_the_attempts_of_a_batch():
    batch = BatchFactory()
    AttemptFactory(batch=batch, delivery=None, status_code=202)
    delivery = DeliveryFactory(batch=batch, endpoint=batch.endpoint)
    assert any("answered 202" in moment.text for moment in stories.tell(delivery.event))


def test_a_story_costs_as_many_statements_for_eight_endpoints_as_for_one(viewer):
    event = EventFactory()
    AttemptFactory(delivery=DeliveryFactory(event=event))
    SkipFactory(event=event)
    before = statements(viewer, f"/events/{event.uid}")
    for _ in range(7):
        AttemptFactory(delivery=DeliveryFactory(event=event))
        SkipFactory(event=event)
    assert statements(viewer, f"/events/{event.uid}") == before


def test_the_search_finds_every_kind_of_id(viewer):
    delivery = DeliveryFactory(batch=BatchFactory())
    attempt = AttemptFactory(delivery=delivery)
    now = clock.now()
    replay = Replay.objects.create(endpoint=delivery.endpoint, since=now - timedelta(hours=1), until=now)
    receipt, source = ReceiptFactory(), SourceFactory(slug="findme")
    pages = {
        delivery.uid: f"/deliveries/{delivery.uid}",
        attempt.uid: f"/deliveries/{delivery.uid}",
        delivery.batch.uid: f"/deliveries?batch={delivery.batch.uid}",
        delivery.endpoint.uid: f"/endpoints/{delivery.endpoint.uid}",
        replay.uid: f"/replays/{replay.uid}",
        receipt.uid: f"/receipts/{receipt.uid}",
        source.uid: f"/sources/{source.uid}",
        "findme": f"/sources/{source.uid}",
    }
    for asked, address in pages.items():
        answer = viewer.get("/search", {"q": asked})
        assert answer["Location"] == address
        assert viewer.get(address).status_code == 200


def test_a_url_leads_to_its_endpoint_and_a_part_of_several_to_the_list():
    one = EndpointFactory(url="https://one.example.com/hook")
    EndpointFactory(url="https://two.example.com/hook")
    assert finders.find_endpoint("one.example.com").url == f"/endpoints/{one.uid}"
    assert finders.find_endpoint("example.com").url == "/endpoints?q=example.com"
    assert finders.find_endpoint("nowhere.example") is None
    assert finders.find_endpoint("e") is None


def test_the_search_finds_endpoints_and_sources_by_the_names_people_gave_them():
    endpoint = EndpointFactory(description="Old billing server")
    source = SourceFactory(slug="pay", name="Shop payments")
    assert finders.find_endpoint("billing").url == f"/endpoints/{endpoint.uid}"
    assert finders.find_endpoint("billing").title == "Endpoint Old billing server"
    assert finders.find_source("shop payments").url == f"/sources/{source.uid}"


def test_the_numbers_of_deliveries_lead_to_their_rows_and_the_chart_says_its_colours(viewer):
    AttemptFactory(delivery=DeliveryFactory(ended=DeliveryStatus.DELIVERED), duration_ms=12)
    page = text_of(viewer.get("/"))
    figures = re.findall(r'<div class="figure">.*?</div>', page, re.DOTALL)  # words such as "running" count nothing
    assert figures
    assert [figure for figure in figures if "<a href=" not in figure] == []
    assert "</svg>delivered</span>" in page
    assert "</svg>dead</span>" in page


def test_the_navigation_leads_to_every_page(viewer):
    page = text_of(viewer.get("/endpoints"))
    for address in ("/endpoints", "/deliveries", "/dead-letters", "/sources", "/receipts"):
        assert f'<a href="{address}"' in page
        assert viewer.get(address).status_code == 200


def test_public_keys_are_open_to_everyone_and_verify(client):
    private, public = signing.ed25519_new()
    EndpointFactory(uid="wh_keys", signing_key=private)
    answer = client.get("/.well-known/webhook-public-keys/wh_keys")
    assert answer.json() == {"endpoint_id": "wh_keys", "keys": [public]}
    assert "max-age" in answer["Cache-Control"]


def test_there_are_no_public_keys_without_asymmetric_signatures(client):
    EndpointFactory(uid="wh_plain")
    EndpointFactory(uid="wh_gone", signing_key=signing.ed25519_new()[0], deleted_at=clock.now())
    for uid in ("wh_plain", "wh_gone", "wh_none"):
        assert client.get(f"/.well-known/webhook-public-keys/{uid}").status_code == 404


def test_the_schema_has_the_public_keys_without_credentials(client):
    paths = client.get("/api/schema").json()["paths"]
    operation = paths["/.well-known/webhook-public-keys/{endpoint_id}"]["get"]
    assert "401" not in operation["responses"]
    assert "404" in operation["responses"]
